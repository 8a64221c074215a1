"""The writer of the attestation log.

A batch of records is one ``write()`` to the end of the current segment, so a process that is killed at any moment
leaves every acknowledged record behind (the octets are the kernel's by then), and at most the last line torn. With
durability ``disk`` the batch is also synchronised, so that it outlives the machine's power.

Whatever was not acknowledged must not stay as half a line: when a write or a synchronisation fails, the segment is cut
back to where the batch began. A tail that is torn all the same (the process was killed inside ``write()``) is set aside
at the next opening, in a ``.torn`` file beside the segment, and the chain goes on from the last whole record.

One directory has one writer, held by a lock that dies with the process.
"""

import fcntl
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sipguard.errors import LedgerError
from sipguard.ledger.chain import first_hash, link, seal
from sipguard.ledger.segment import Segment, new_segment, segments

logger = logging.getLogger(__name__)

SEGMENT_SIZE = 64 * 1024 * 1024  # octets after which a new segment is begun
DURABILITIES = ("process", "disk")
_MODE = 0o640  # records name callers: not for everyone to read
_BLOCK = 64 * 1024


class AttestationLog:
    """An open attestation log. Not safe for two threads at once; ``open`` makes one."""

    def __init__(self, directory: Path, node: str, durability: str, segment_size: int, lock: int) -> None:
        self.directory = directory
        self.records = 0  # appended since the opening
        self._synchronise = durability == "disk"
        self._segment_size = segment_size
        self._lock = lock
        self._descriptor: int | None = None
        self._size = 0  # octets of the current segment that are acknowledged
        self._cut = False  # whether octets beyond ``_size`` may be there
        known = segments(directory)
        self._number = known[-1].number if known else 0
        self._previous = _last_hash(known) or first_hash(node)
        if known:
            self._set_aside_torn_tail(known[-1], self._open_segment(known[-1], os.O_RDWR))

    @classmethod
    def open(
        cls, directory: Path | str, node: str, durability: str = "process", *, segment_size: int = SEGMENT_SIZE
    ) -> Self:
        """Open the log of ``node`` in ``directory``, made when missing.

        ``durability`` is ``process`` (records outlive the process) or ``disk`` (they outlive the machine's power).
        Raises LedgerError: another process writes here, the directory cannot be used, the last record is damaged.
        """
        if durability not in DURABILITIES:
            raise LedgerError(f"attestation log: durability {durability!r} is not one of {', '.join(DURABILITIES)}")
        path = Path(directory)
        lock: int | None = None
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = _take_lock(path)
            return cls(path, node, durability, segment_size, lock)
        except OSError as error:
            if lock is not None:
                os.close(lock)
            raise LedgerError(f"attestation log {path}: {error.strerror or error}") from error
        except LedgerError:
            if lock is not None:
                os.close(lock)
            raise

    def append(self, lines: Sequence[bytes]) -> None:
        """Append records, all or none. On return they are as durable as the log promises.

        Each line is one encoded JSON object, not empty, without line feeds and without chain members. Raises
        LedgerError when the disk is full or fails; nothing of the batch is in the log then.
        """
        if not lines:
            return
        sealed = []
        previous = self._previous
        for line in lines:
            if line[:1] != b"{" or line[-1:] != b"}" or len(line) < 3 or b"\n" in line:
                raise LedgerError("attestation log: a record is not one JSON object on one line")
            octets, previous = seal(line, previous)
            sealed.append(octets)
        try:
            self._write(b"".join(sealed))
        except OSError as error:
            raise LedgerError(f"attestation log {self.directory}: {error.strerror or error}") from error
        self._previous = previous
        self.records += len(lines)

    def close(self) -> None:
        """Synchronise what was written and let another writer in. Closing twice is harmless."""
        if self._descriptor is not None:
            try:
                os.fsync(self._descriptor)
            except OSError as error:
                logger.error("ledger.close", extra={"fields": {"detail": str(error)}})
            os.close(self._descriptor)
            self._descriptor = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, data: bytes) -> None:
        if self._lock < 0:
            raise OSError("the log is closed")
        if self._cut and self._descriptor is not None:  # an earlier cut did not succeed: nothing may follow half a line
            os.ftruncate(self._descriptor, self._size)
            self._cut = False
        descriptor = self._descriptor
        if descriptor is None or (self._size and self._size + len(data) > self._segment_size):
            descriptor = self._begin_segment()
        try:
            written = os.write(descriptor, data)
            while written < len(data):  # the rest either fits or says why not
                written += os.write(descriptor, data[written:])
            if self._synchronise:
                os.fdatasync(descriptor)
        except OSError:
            self._cut = True
            os.ftruncate(descriptor, self._size)
            self._cut = False
            raise
        self._size += len(data)

    def _begin_segment(self) -> int:
        """Create the next segment, then leave the current one: a failure keeps the current one."""
        segment = new_segment(self.directory, self._number + 1)
        left = self._descriptor
        descriptor = self._open_segment(segment, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        self._number = segment.number
        if left is not None:
            try:
                os.fsync(left)
            finally:
                os.close(left)
        if self._synchronise:
            _synchronise_directory(self.directory)
        return descriptor

    def _open_segment(self, segment: Segment, flags: int) -> int:
        self._descriptor = descriptor = os.open(segment.path, flags | os.O_APPEND | os.O_CLOEXEC, _MODE)
        self._size = os.fstat(descriptor).st_size
        return descriptor

    def _set_aside_torn_tail(self, segment: Segment, descriptor: int) -> None:
        """Move a last line without line feed to ``<segment>.torn`` and cut the segment before it."""
        whole = _whole_lines(descriptor, self._size)
        if whole == self._size:
            return
        torn = os.pread(descriptor, self._size - whole, whole)
        with open(segment.path.with_name(segment.path.name + ".torn"), "ab") as beside:
            beside.write(torn + b"\n")
            beside.flush()
            os.fsync(beside.fileno())
        os.ftruncate(descriptor, whole)
        os.fsync(descriptor)
        self._size = whole
        logger.warning("ledger.torn", extra={"fields": {"segment": segment.path.name, "octets": len(torn)}})


def _take_lock(directory: Path) -> int:
    lock = os.open(directory / "attestation.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise LedgerError(f"attestation log {directory}: another process writes here") from error
    return lock


def _synchronise_directory(directory: Path) -> None:
    """Make the name of a new segment durable too."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _whole_lines(descriptor: int, size: int) -> int:
    """How many octets from the start end with a line feed."""
    end = size
    while end:
        start = max(0, end - _BLOCK)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _last_hash(known: Sequence[Segment]) -> bytes | None:
    """The hash the chain goes on from: that of the last whole record; None in a log without one."""
    for segment in reversed(known):
        line = _last_line(segment.path)
        if line is None:
            continue
        members = link(line)
        if members is None:
            raise LedgerError(
                f"attestation log {segment.path}: the last record carries no hash; see `sipguard log verify`"
            )
        return members.hash
    return None


def _last_line(path: Path) -> bytes | None:
    """The last whole line of a segment without its line feed, None when there is none."""
    with open(path, "rb") as segment:
        descriptor = segment.fileno()
        end = _whole_lines(descriptor, os.fstat(descriptor).st_size)
        if not end:
            return None
        start = _whole_lines(descriptor, end - 1)
        return os.pread(descriptor, end - 1 - start, start)
