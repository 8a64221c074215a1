"""Do-not-originate lists: numbers and blocks of numbers that never call anybody."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.orm import Session

from sipguard.errors import RegistryError
from sipguard.policy.pattern import block_pattern
from sipguard.registry.database import BATCH, UNSEEN, Database
from sipguard.registry.schema import ListRow
from sipguard.registry.upsert import upsert
from sipguard.registry.values import shown_number
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime


class PatternEntry(NamedTuple):
    """One pattern as stored: a canonical number, or a block with trailing X."""

    pattern: str
    action: str = "block"
    source: str = ""
    expires: UnixTime | None = None


class DoNotOriginate:
    """The do-not-originate list of one registry. Every method raises RegistryError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, limit: int | None = None) -> list[PatternEntry]:
        """The patterns in order, at most ``limit`` of them."""
        with self._database.reading() as connection:
            return read_patterns(connection, limit)

    def export(self) -> Iterator[PatternEntry]:
        """All patterns in order, one after the other however many there are."""
        table = ListRow.__table__.c
        statement = select(*(table[name] for name in PatternEntry._fields)).order_by(table.pattern)
        with self._database.reading() as connection:
            for row in connection.execute(statement, execution_options={"yield_per": 1000}):
                yield PatternEntry(*row)

    def count(self) -> int:
        """How many patterns there are."""
        with self._database.reading() as connection:
            return connection.execute(select(func.count()).select_from(ListRow)).scalar_one()

    def matching(self, tn: TN) -> Sequence[PatternEntry]:
        """The patterns that a number matches, expired ones too, the longest first."""
        table = ListRow.__table__.c
        patterns = [tn, *(block_pattern(tn[:prefix], len(tn)) for prefix in range(len(tn)))]
        statement = select(*(table[name] for name in PatternEntry._fields)).where(table.pattern.in_(patterns))
        with self._database.reading() as connection:
            found = [PatternEntry(*row) for row in connection.execute(statement)]
        return sorted(found, key=lambda entry: -len(entry.pattern.rstrip("X")))

    def add(self, entry: PatternEntry) -> None:
        """Add a pattern, or change the one that is there."""
        with self._database.writing() as session:
            before = _values_of(session.get(ListRow, entry.pattern))
            write_patterns(session, [entry])
            self._database.audit(session, "list.add", entry.pattern, before, entry._asdict())

    def remove(self, pattern: str) -> None:
        """Remove a pattern."""
        with self._database.writing() as session:
            before = _values_of(session.get(ListRow, pattern))
            if before is None:
                raise RegistryError(f"{shown_number(pattern)} is not on the do-not-originate list")
            session.execute(delete(ListRow).where(ListRow.pattern == pattern))
            self._database.audit(session, "list.remove", pattern, before, None)

    def clear(self) -> int:
        """Remove every pattern; returns how many there were."""
        removed, some = 0, select(ListRow).order_by(ListRow.pattern).limit(BATCH)
        with self._database.writing() as session:
            while rows := session.execute(some).scalars().all():
                removed += len(rows)
                self._database.audit_rows(
                    session, "list.remove", [(row.pattern, _values_of(row), None) for row in rows]
                )
                session.execute(delete(ListRow).where(ListRow.pattern <= rows[-1].pattern), execution_options=UNSEEN)
                session.expunge_all()
        return removed


def _values_of(row: ListRow | None) -> dict[str, object] | None:
    if row is None:
        return None
    values = {name: getattr(row, name) for name in PatternEntry._fields}
    return values if row.imported is None else values | {"imported": row.imported}


def read_patterns(connection: Connection, limit: int | None = None) -> list[PatternEntry]:
    """The patterns in order, at most ``limit`` of them."""
    table = ListRow.__table__.c
    statement = select(table.pattern, table.action, table.source, table.expires).order_by(table.pattern).limit(limit)
    return [PatternEntry(*row) for row in connection.execute(statement)]


def write_patterns(session: Session, entries: Sequence[PatternEntry], imported: int | None = None) -> None:
    """Add or replace patterns; ``imported`` is the import they come with."""
    upsert(session, ListRow, [entry._asdict() | {"imported": imported} for entry in entries])
