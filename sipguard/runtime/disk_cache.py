"""What was fetched, on disk, so that a restart does not fetch it all again.

One file for each URL, named by its digest, replaced whole (written beside, then renamed). Nothing on the disk is
trusted: a file whose octets do not match its own digest is dropped, and whoever reads validates the content as if
it had just been fetched. Bounded: the oldest goes first. Failures are logged, never raised; memory has it all.
"""

import hashlib
import json
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from sipguard.stir.unix_time import UnixTime

logger = logging.getLogger(__name__)

_SUFFIX = ".fetched"
_LARGEST_HEAD = 4096


class Stored(NamedTuple):
    """What one URL answered, when, and until when it may be used."""

    url: str
    octets: bytes
    fetched: UnixTime
    expires: UnixTime


class DiskCache:
    """A bounded directory of fetched octets; may be used from several threads."""

    def __init__(self, directory: Path, capacity: int) -> None:
        self._directory = directory
        self._capacity = capacity
        self._lock = threading.Lock()
        self._names: OrderedDict[str, None] = OrderedDict()  # of files, the oldest first
        with suppress(OSError):  # not there yet
            files = [(entry.stat().st_mtime_ns, entry.name) for entry in os.scandir(directory)]
            self._names.update((name, None) for _, name in sorted(files) if name.endswith(_SUFFIX))

    def put(self, stored: Stored) -> None:
        """Keep what a URL answered, in place of what it answered before."""
        name = _name(stored.url)
        head = {
            "url": stored.url,
            "fetched": stored.fetched,
            "expires": stored.expires,
            "sha256": hashlib.sha256(stored.octets).hexdigest(),
        }
        path = self._directory / name
        beside = path.with_suffix(".new")
        with self._lock:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
                beside.write_bytes(json.dumps(head).encode() + b"\n" + stored.octets)
                os.replace(beside, path)
            except OSError as error:
                logger.warning("disk-cache.unwritable", extra={"fields": {"file": name, "detail": str(error)}})
                return
            self._names[name] = None
            self._names.move_to_end(name)
            while len(self._names) > self._capacity:
                self._drop(next(iter(self._names)))

    def get(self, url: str) -> Stored | None:
        """What a URL answered when it was last asked; None when nothing usable is there."""
        with self._lock:
            return self._read(_name(url))

    def all(self) -> Iterator[Stored]:
        """Everything that can be read, the oldest first."""
        with self._lock:
            names = list(self._names)
        for name in names:
            with self._lock:
                stored = self._read(name)
            if stored is not None:
                yield stored

    def remove(self, url: str) -> None:
        """Forget a URL."""
        with self._lock:
            self._drop(_name(url))

    def _read(self, name: str) -> Stored | None:
        if name not in self._names:
            return None
        try:
            head, _, octets = (self._directory / name).read_bytes().partition(b"\n")
            values = json.loads(head[:_LARGEST_HEAD])
            stored = Stored(
                str(values["url"]), octets, UnixTime(int(values["fetched"])), UnixTime(int(values["expires"]))
            )
            if _name(stored.url) == name and hashlib.sha256(octets).hexdigest() == values["sha256"]:
                return stored
            detail = "does not match its digest"
        except (OSError, ValueError, TypeError, KeyError) as error:
            detail = str(error)
        logger.warning("disk-cache.unreadable", extra={"fields": {"file": name, "detail": detail}})
        self._drop(name)
        return None

    def _drop(self, name: str) -> None:
        self._names.pop(name, None)
        with suppress(OSError):
            os.unlink(self._directory / name)


def _name(url: str) -> str:
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest() + _SUFFIX
