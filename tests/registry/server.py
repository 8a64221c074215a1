"""A real PostgreSQL server for tests: Debian's package, a cluster of its own in a temporary directory, loopback only.

The server refuses to run as root; then it runs as the user that the package made. Durability is switched off: what
these tests prove does not need the disk.
"""

import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.runtime.live_node import free_port

_USER = "postgres"
_PATIENCE = 30.0  # seconds
_SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=127.0.0.1")


def binaries() -> Path | None:
    """Where the newest installed server's programs are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class PostgresqlServer:
    """One running server."""

    def __init__(self, programs: Path, directory: Path) -> None:
        self.port = free_port()
        self._programs = programs
        self._directory = directory
        self._names = (f"registry{number}" for number in itertools.count())
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "--auth=trust", f"--username={_USER}", "--no-sync", "-D", str(directory / "data"))

    def _command(self, program: str, *arguments: str) -> list[str]:
        become = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"] if os.getuid() == 0 else []
        return [*become, str(self._programs / program), *arguments]

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(self._command(program, *arguments), check=True, capture_output=True, cwd=self._directory)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        self._process = subprocess.Popen(
            self._command(
                "postgres", "-D", str(self._directory / "data"), "-p", str(self.port), "-k", str(self._directory),
                *settings,
            ),
            cwd=self._directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=1).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < end
                assert self._process.poll() is None
                time.sleep(0.05)

    def stop(self) -> None:
        """Stop it at once, with every connection it has."""
        if self._process is not None:
            self._process.send_signal(3)  # SIGQUIT: immediate shutdown
            self._process.wait(_PATIENCE)
            self._process = None

    def url(self, database: str) -> str:
        """The URL of a database."""
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of a database that is empty."""
        name = next(self._names)
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)


@contextmanager
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A running server, gone at the end."""
    programs = binaries()
    assert programs is not None, "the Debian package postgresql is needed"
    directory = Path(tempfile.mkdtemp(prefix="sipguard-postgresql-"))
    if os.getuid() == 0:
        shutil.chown(directory, _USER, _USER)
    server = PostgresqlServer(programs, directory)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)
