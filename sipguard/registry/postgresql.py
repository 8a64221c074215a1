"""The shared store: PostgreSQL, for several nodes with one registry.

Readers see one moment (REPEATABLE READ). Writers take an advisory lock and queue, as they do in SQLite: so the audit
trail, which is the feed of changes, is committed in the order of its numbers. A committed change is announced on a
channel that running nodes listen to.
"""

import psycopg
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from sipguard.errors import RegistryError

Failure = psycopg.Error
CHANNEL = "sipguard_registry"
_WRITERS = 0x51_97_00_4D  # the number of our advisory lock; any number will do that others do not use
_SCHEME = "postgresql://"
_CONNECT = 5  # seconds


def is_postgresql(url: str) -> bool:
    """Whether a URL names a PostgreSQL database."""
    return url.startswith(_SCHEME)


class Postgresql:
    """What is particular to PostgreSQL. Raises RegistryError for a URL that names no database."""

    def __init__(self, url: URL, patience: float) -> None:
        if not url.database:
            raise RegistryError("the registry URL does not name a database")
        self.name = url.set(password=None, query={}).render_as_string()
        wait = f"-c lock_timeout={int(patience * 1000)}"
        self.engine: Engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            connect_args={"connect_timeout": _CONNECT, "options": wait},
        )

    def prepare(self) -> None:
        """The database is made by whoever runs the server."""

    def begin(self, connection: Connection, writing: bool) -> None:
        """Begin a transaction; a writer's is alone, and its references are looked at when it ends."""
        if writing:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")
            connection.exec_driver_sql("SET CONSTRAINTS ALL DEFERRED")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def announce(self, connection: Connection) -> None:
        """Tell every listener, once the transaction is committed."""
        connection.exec_driver_sql(f"NOTIFY {CHANNEL}")

    def explain(self, text: str) -> str:
        """What a failure means, for an operator."""
        if "lock timeout" in text:
            return "is locked by another process; try again"
        if "foreign key" in text:
            return "the change names, or leaves behind, something that is not there"
        if text.startswith("value too long"):
            return f"a value has more than {text.rpartition('(')[2].rstrip(')')} characters"
        return text
