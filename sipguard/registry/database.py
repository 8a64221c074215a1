"""The connection to the store: opening, migrating, transactions, and the translation of SQL errors into one clear line.

SQLite in WAL mode, so that reading a snapshot never waits for an import. A write transaction takes the lock at its
start (BEGIN IMMEDIATE): two writers queue instead of failing half-way.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from sipguard.errors import RegistryError
from sipguard.registry.schema import AuditRow
from sipguard.stir.unix_time import UnixTime

MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """One registry database, migrated to the newest schema. Raises RegistryError.

    ``actor`` is the name audit rows carry; ``patience`` is how many seconds to wait for another writer.
    """

    def __init__(self, url: str, actor: str, patience: float) -> None:
        self.actor = actor
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise RegistryError(f"the registry URL {url} cannot be read") from None
        if parsed.get_backend_name() != "sqlite" or not parsed.database:
            raise RegistryError("the registry URL does not name an SQLite file")
        self.path = Path(parsed.database)
        self._engine = create_engine(parsed, poolclass=NullPool, connect_args={"timeout": patience})
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        with self.translated():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._migrate()

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self._engine.connect() as connection:
            if MigrationContext.configure(connection).get_current_revision() == newest():
                return
        with self._engine.connect().execution_options(writing=True) as connection, connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view of everything. Raises RegistryError."""
        with self.translated(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: all of it or none of it. Raises RegistryError."""
        with (
            self.translated(),
            self._engine.connect().execution_options(writing=True) as connection,
            Session(connection) as session,
            session.begin(),
        ):
            session.connection()  # begins the transaction now, not at the first statement
            yield session

    def audit(self, session: Session, what: str, subject: str, **detail: object) -> None:
        """Note a change in the transaction that makes it."""
        now = UnixTime(int(time.time()))
        session.add(AuditRow(at=now, who=self.actor, what=what, subject=subject, detail=detail))

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what SQLAlchemy, Alembic and the file system raise into RegistryError."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise RegistryError(f"registry {self.path}: {_explain(error)}") from error
        except CommandError:
            raise RegistryError(f"registry {self.path}: was written by a newer version of sipguard") from None
        except OSError as error:
            raise RegistryError(f"registry {self.path}: {error.strerror}") from None


def newest() -> str | None:
    """The newest schema revision this version knows."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver's own implicit BEGIN would come too late for _begin
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _explain(error: SQLAlchemyError | sqlite3.Error) -> str:
    text = str(getattr(error, "orig", None) or error).splitlines()[0]
    if "locked" in text:
        return "is locked by another process; try again"
    if "FOREIGN KEY" in text:
        return "the change names, or leaves behind, something that is not there"
    return text
