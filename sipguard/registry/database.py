"""The connection to the store: opening, migrating, transactions, and the translation of SQL errors into one clear line.

What is particular to one kind of store is in ``sqlite`` and ``postgresql``.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, event, insert
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session

from sipguard.errors import RegistryError
from sipguard.registry import postgresql, sqlite
from sipguard.registry.schema import AuditRow

_Store = sqlite.Sqlite | postgresql.Postgresql
Change = tuple[str, Mapping[str, object] | None, Mapping[str, object] | None]
_SUBJECT = 128  # characters, as many as the audit keeps
BATCH = 1000  # rows at a time, where there may be a million
UNSEEN = {"synchronize_session": False}  # of a statement: the session's objects need not know what it does
MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """One registry database, migrated to the newest schema. Raises RegistryError.

    ``actor`` is the name audit rows carry; ``patience`` is how many seconds to wait for another writer.
    """

    def __init__(self, url: str, actor: str, patience: float) -> None:
        self.actor = actor
        self._store = _store(_parsed(url), patience)
        self.name = self._store.name
        self._engine = self._store.engine
        event.listen(self._engine, "begin", self._begin)
        with self.translated():
            self._store.prepare()
            self._migrate()

    def _begin(self, connection: Connection) -> None:
        self._store.begin(connection, connection.get_execution_options().get("writing", False))

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

    def audit(
        self, session: Session, what: str, subject: str, before: Mapping[str, object] | None,
        after: Mapping[str, object] | None,
    ) -> int:  # fmt: skip
        """Note a change in the transaction that makes it: what was there, and what is there now. Gives its number."""
        row = AuditRow(**self._audited(what, subject, before, after))
        session.add(row)
        session.flush()
        self._store.announce(session.connection())
        return row.number

    def audit_rows(self, session: Session, what: str, changes: Iterable[Change]) -> None:
        """Note many changes of one kind, one at least, each a subject with what was there and what is there now."""
        rows = [self._audited(what, *change) for change in changes]
        session.connection().execute(insert(AuditRow), rows)  # without the mapper: there may be a million
        self._store.announce(session.connection())

    def _audited(
        self, what: str, subject: str, before: Mapping[str, object] | None, after: Mapping[str, object] | None
    ) -> dict[str, Any]:
        detail = {"before": before, "after": after}
        return {
            "at": int(time.time()), "who": self.actor, "what": what, "subject": subject[:_SUBJECT], "detail": detail,
        }  # fmt: skip

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what SQLAlchemy, Alembic and the file system raise into RegistryError."""
        try:
            yield
        except (SQLAlchemyError, sqlite.Failure, postgresql.Failure) as error:
            text = str(getattr(error, "orig", None) or error).partition("\n")[0]
            raise RegistryError(f"registry {self.name}: {self._store.explain(text)}") from error
        except (UnicodeEncodeError, OverflowError):  # the drivers raise these bare
            raise RegistryError(f"registry {self.name}: a value is not UTF-8 text, or too large a number") from None
        except CommandError:
            raise RegistryError(f"registry {self.name}: was written by a newer version of sipguard") from None
        except OSError as error:
            raise RegistryError(f"registry {self.name}: {error.strerror}") from None


def newest() -> str | None:
    """The newest schema revision this version knows."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def shown_url(url: str) -> str:
    """A registry URL as it may be printed: without a password, and without options, one of which may be one too."""
    return _parsed(url).set(query={}).render_as_string(hide_password=True)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise RegistryError("the registry URL cannot be read") from None
    if "@" in (parsed.host or ""):  # the end of a password, which every message about that host would show
        raise RegistryError('the registry URL has more than one "@"; in a password it is written %40')
    return parsed


def _store(url: URL, patience: float) -> _Store:
    if url.get_backend_name() == "sqlite":
        return sqlite.Sqlite(url, patience)
    if url.get_backend_name() == "postgresql":
        return postgresql.Postgresql(url, patience)
    raise RegistryError("the registry URL names neither an SQLite file nor a PostgreSQL database")
