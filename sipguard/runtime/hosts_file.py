"""Names this machine knows without DNS: the system's hosts file, read again when it changed."""

import contextlib
from pathlib import Path

from sipguard.config.address import is_address

SYSTEM = Path("/etc/hosts")


class HostsFile:
    """The hosts file. A file that cannot be read is an empty one."""

    def __init__(self, path: Path = SYSTEM) -> None:
        self._path = path
        self._read_at: int | None = None
        self._names: dict[str, list[str]] = {}

    def addresses(self, name: str) -> list[str] | None:
        """The addresses of a name, or None when it is not there."""
        with contextlib.suppress(OSError):
            changed = self._path.stat().st_mtime_ns
            if changed != self._read_at:
                self._read_at = changed
                self._names = _read(self._path.read_text("latin-1"))
        return self._names.get(name.lower())


def _read(text: str) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for line in text.split("\n"):
        address, *aliases = line.partition("#")[0].split() or [""]
        if is_address(address):
            for alias in aliases:
                names.setdefault(alias.lower(), []).append(address)
    return names
