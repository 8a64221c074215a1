"""The embedded store: SQLite in WAL mode, so that reading a snapshot never waits for an import.

A write transaction takes the lock at its start (BEGIN IMMEDIATE): two writers queue instead of failing half-way.
"""

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from sipguard.errors import RegistryError

Failure = sqlite3.Error


class Sqlite:
    """What is particular to SQLite. Raises RegistryError for a URL that names no file, OSError for a bad place."""

    def __init__(self, url: URL, patience: float) -> None:
        if not url.database:
            raise RegistryError("the registry URL does not name an SQLite file")
        path = Path(url.database)
        self.name = str(path)
        self._path = path
        self.engine: Engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": patience})
        event.listen(self.engine, "connect", _configure)

    def prepare(self) -> None:
        """Make the directory of the file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)

    def begin(self, connection: Connection, writing: bool) -> None:
        """Begin a transaction; a writer's is alone, and its references are looked at when it ends."""
        if writing:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        else:
            connection.exec_driver_sql("BEGIN")

    def announce(self, connection: Connection) -> None:
        """Other processes find a change by looking."""

    def explain(self, text: str) -> str:
        """What a failure means, for an operator."""
        if "locked" in text:
            return "is locked by another process; try again"
        if "FOREIGN KEY" in text:
            return "the change names, or leaves behind, something that is not there"
        return text


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver's own implicit BEGIN would come too late for begin()
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
