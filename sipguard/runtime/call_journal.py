"""The calls that are up, on disk: what the engine wants remembered is appended, one write for each batch of messages.

``calls.base`` holds the calls that were up when it was written, ``calls.tail`` what happened since. When the tail is as
large as a bound, and as the base, a thread makes a new base of both while a new tail grows; a crash meanwhile leaves
``calls.old`` between the two, and read in that order they say the same. Nothing waits for the disk: what a power
failure takes is what the last seconds brought. What cannot be written waits until it can, a bounded number of lines:
the end of a call that was lost would bring it back at the next start. One alarm says that something waits.
"""

import asyncio
import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from sipguard.proxy.call_memory import compacted
from sipguard.runtime.faults import Faults

_LARGE = 8 * 1024 * 1024  # octets of a tail that is worth a new base
_MOST_WAITING = 10_000  # lines, while none can be written
_MODE = 0o600  # it names callers


class CallJournal:
    """One node's; what is in the files is read at the start, and then made a new base."""

    def __init__(self, state: Path, faults: Faults, large: int = _LARGE) -> None:
        self._base, self._old, self._tail = (state / f"calls.{part}" for part in ("base", "old", "tail"))
        self._faults = faults
        self._large = large
        self._lines: list[bytes] = []
        self._file = -1
        self._size = 0
        self._limit = large
        self._compacting: asyncio.Future[int] | None = None
        self._failed = False

    def read(self) -> list[bytes] | None:
        """What was remembered, oldest first, and no more than it takes; None when nobody knows."""
        try:
            lines = compacted(self._all_lines())
        except OSError as error:
            self._complain(error)
            return None
        try:
            self._replace_base(lines)
            self._open(os.O_TRUNC)
        except OSError as error:  # a full disk: what ends from now on belongs behind what is there
            self._complain(error)
            with contextlib.suppress(OSError):
                self._open()
            return lines or None  # nor could the process before, perhaps
        return lines

    def add(self, line: bytes) -> None:
        """Queue a line."""
        self._lines.append(line)

    @property
    def pending(self) -> bool:
        """Whether ``flush`` has something to do."""
        return bool(self._lines)

    def flush(self) -> None:
        """Write what is queued; when that fails, try one line the next time, and go on with the others after it."""
        lines = self._lines
        if self._file < 0:
            lines.clear()
            return
        count = 1 if self._failed else len(lines)
        data = b"\n".join((*lines[:count], b""))
        try:
            if os.write(self._file, b"\n" + data if self._failed else data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._complain(error)
            del lines[:-_MOST_WAITING]
            return
        del lines[:count]
        self._size += len(data)
        if self._failed:
            self._failed = False
            self.flush()
        elif self._size > self._limit and self._compacting is None:
            self._compact()

    async def close(self) -> None:
        """Write what is left."""
        if self._lines:
            self.flush()
        if self._compacting is not None:
            await asyncio.wait((self._compacting,))
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _compact(self) -> None:
        """Begin a new tail, and make a new base of the old one in a thread."""
        if not self._old.exists():  # it is there when it could not be done the last time
            before = self._file
            try:
                os.replace(self._tail, self._old)
                self._open()
            except OSError as error:
                self._complain(error)
                with contextlib.suppress(OSError):
                    os.replace(self._old, self._tail)
                return
            os.close(before)
        loop = asyncio.get_running_loop()
        self._compacting = loop.run_in_executor(None, self._make_base)
        self._compacting.add_done_callback(self._compacted)

    def _make_base(self) -> int:
        return self._replace_base(compacted(_lines_of(self._base, self._old)))

    def _compacted(self, future: asyncio.Future[int]) -> None:
        self._compacting = None
        error = future.exception()
        if error is not None:
            self._complain(error)
        else:
            self._limit = max(self._large, future.result())

    def _all_lines(self) -> Iterator[bytes]:
        return _lines_of(self._base, self._old, self._tail)

    def _replace_base(self, lines: list[bytes]) -> int:
        """Write a whole base under another name, then rename it; returns its size."""
        beside = self._base.with_name("calls.new")
        with open(beside, "wb", opener=_private) as file:
            size = file.write(b"\n".join((*lines, b"")) if lines else b"")
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self._base)
        self._old.unlink(missing_ok=True)
        return size

    def _open(self, anew: int = 0) -> None:
        self._file = os.open(self._tail, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | anew, _MODE)
        self._size = 0

    def _complain(self, error: BaseException) -> None:
        if not self._failed:
            self._failed = True
            self._faults.alarm("call-memory", detail=str(error))


def _lines_of(*paths: Path) -> Iterator[bytes]:
    """The lines of these files, in their order; one that is not there has none, and half a line at the end is none."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            for line in file:
                if line.endswith(b"\n") and line != b"\n":
                    yield line[:-1]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, _MODE)
