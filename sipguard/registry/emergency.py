"""Emergency registrations: which numbers may call emergency services, and where the caller is.

A registration is *pending* while the emergency service is being told of it, *registered* when it has confirmed, or
*failed*. It counts for calls when it is registered and paid for, from ``activated_at`` on; that moment is kept when it
is registered again, and set to now when it first is.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.orm import Session

from sipguard.errors import RegistryError
from sipguard.registry.database import Database
from sipguard.registry.schema import AccountRow, EmergencyRow
from sipguard.registry.upsert import upsert
from sipguard.registry.values import shown_number
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime

REGISTERED = "registered"
STATUSES = ("pending", REGISTERED, "failed")


class EmergencyEntry(NamedTuple):
    """One registration as stored."""

    tn: TN
    account: str
    country: str = "US"
    status: str = REGISTERED
    paid: bool = True
    location: str | None = None
    unit: str | None = None
    callback: TN | None = None
    activated_at: UnixTime | None = None


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

    def find(self, tn: TN) -> EmergencyEntry:
        """The registration of a number."""
        with self._database.reading() as connection:
            table = EmergencyRow.__table__.c
            row = connection.execute(select(*_columns()).where(table.tn == tn)).first()
        if row is None:
            raise _absent(tn)
        return EmergencyEntry(*row)

    def add(self, entry: EmergencyEntry) -> None:
        """Register a number, or replace its registration."""
        with self._database.writing() as session:
            if session.get(AccountRow, entry.account) is None:
                raise RegistryError(f'no account is called "{entry.account}"')
            before = _values_of(session.get(EmergencyRow, entry.tn))
            (written,) = write_emergency(session, [entry])
            self._database.audit(session, "emergency.add", entry.tn, before, written._asdict())

    def change(self, tn: TN, **values: Any) -> EmergencyEntry:
        """Change what is named of a registration; the rest stays. Returns it as it is then."""
        with self._database.writing() as session:
            before = _values_of(session.get(EmergencyRow, tn))
            if before is None:
                raise _absent(tn)
            (written,) = write_emergency(session, [EmergencyEntry(**before | values)])
            self._database.audit(session, "emergency.set", tn, before, written._asdict())
            return written

    def remove(self, tn: TN) -> None:
        """End a registration."""
        with self._database.writing() as session:
            before = _values_of(session.get(EmergencyRow, tn))
            if before is None:
                raise _absent(tn)
            session.execute(delete(EmergencyRow).where(EmergencyRow.tn == tn))
            self._database.audit(session, "emergency.remove", tn, before, None)


def _absent(tn: TN) -> RegistryError:
    return RegistryError(f"{shown_number(tn)} is not registered for emergency calls")


def _values_of(row: EmergencyRow | None) -> dict[str, Any] | None:
    return None if row is None else {name: getattr(row, name) for name in EmergencyEntry._fields}


def _columns() -> list[Any]:
    return [EmergencyRow.__table__.c[name] for name in EmergencyEntry._fields]


def read_emergency(connection: Connection) -> list[EmergencyEntry]:
    """All registrations, by number."""
    table = EmergencyRow.__table__.c
    return [EmergencyEntry(*row) for row in connection.execute(select(*_columns()).order_by(table.tn))]


def activated(entry: EmergencyEntry, before: UnixTime | None) -> EmergencyEntry:
    """A registration with its time of activation: as it says, as it was ``before``, or now."""
    if entry.activated_at is not None or entry.status != REGISTERED:
        return entry
    return entry._replace(activated_at=UnixTime(int(time.time())) if before is None else before)


def write_emergency(session: Session, entries: Sequence[EmergencyEntry]) -> list[EmergencyEntry]:
    """Add or replace registrations. Returns them as they are now: with the time of activation they had, or get."""
    table = EmergencyRow.__table__.c
    known = select(table.tn, table.activated_at).where(table.tn.in_([entry.tn for entry in entries]))
    moments = {row.tn: row.activated_at for row in session.execute(known)}
    written = [activated(entry, moments.get(entry.tn)) for entry in entries]
    upsert(session, EmergencyRow, [entry._asdict() for entry in written])
    return written
