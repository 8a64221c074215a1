"""What changes when a file is replaced or written to: how watches notice without reading."""

from collections.abc import Iterable
from pathlib import Path

Stamp = tuple[tuple[int, int, int] | None, ...]


def stamp(paths: Iterable[Path]) -> Stamp:
    """Time of the last change, size and file number of each file; None for one that is not there."""
    return tuple(_stamp_of(path) for path in paths)


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
