"""Emergency registrations: which numbers may call emergency services, and where the caller is."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.orm import Session

from sipguard.errors import RegistryError
from sipguard.registry.database import Database
from sipguard.registry.schema import AccountRow, EmergencyRow
from sipguard.registry.upsert import upsert
from sipguard.registry.values import shown_number
from sipguard.stir.telephone_number import TN

STATUSES = ("pending", "registered", "failed")


class EmergencyEntry(NamedTuple):
    """One registration as stored."""

    tn: TN
    account: str
    country: str = "US"
    status: str = "registered"
    paid: bool = True
    location: str | None = None


class EmergencyRegistrations:
    """The emergency registrations of one registry. Every method raises RegistryError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> list[EmergencyEntry]:
        """All registrations, by number."""
        with self._database.reading() as connection:
            return read_emergency(connection)

    def count(self, account: str) -> dict[str, int]:
        """How many registrations an account has, by status."""
        table = EmergencyRow.__table__.c
        statement = select(table.status, func.count()).where(table.account == account).group_by(table.status)
        with self._database.reading() as connection:
            return {str(status): count for status, count in connection.execute(statement)}

    def add(self, entry: EmergencyEntry) -> None:
        """Register a number, or change its registration."""
        with self._database.writing() as session:
            if session.get(AccountRow, entry.account) is None:
                raise RegistryError(f'no account is called "{entry.account}"')
            before = _values_of(session.get(EmergencyRow, entry.tn))
            write_emergency(session, [entry])
            self._database.audit(session, "emergency.add", entry.tn, before, entry._asdict())

    def remove(self, tn: TN) -> None:
        """End a registration."""
        with self._database.writing() as session:
            before = _values_of(session.get(EmergencyRow, tn))
            if before is None:
                raise RegistryError(f"{shown_number(tn)} is not registered for emergency calls")
            session.execute(delete(EmergencyRow).where(EmergencyRow.tn == tn))
            self._database.audit(session, "emergency.remove", tn, before, None)


def _values_of(row: EmergencyRow | None) -> dict[str, object] | None:
    return None if row is None else {name: getattr(row, name) for name in EmergencyEntry._fields}


def read_emergency(connection: Connection) -> list[EmergencyEntry]:
    """All registrations, by number."""
    table = EmergencyRow.__table__.c
    columns = [table[name] for name in EmergencyEntry._fields]
    return [EmergencyEntry(*row) for row in connection.execute(select(*columns).order_by(table.tn))]


def write_emergency(session: Session, entries: Sequence[EmergencyEntry]) -> None:
    """Add or replace registrations."""
    upsert(session, EmergencyRow, [entry._asdict() for entry in entries])
