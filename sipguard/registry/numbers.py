"""The right to present a number: owned, verified by a letter of authorisation, or delegated to the account."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, select
from sqlalchemy.orm import Session

from sipguard.errors import RegistryError
from sipguard.policy.right import RightKind
from sipguard.registry.accounts import path_of, read_accounts
from sipguard.registry.database import Database
from sipguard.registry.schema import AccountRow, NumberRow
from sipguard.registry.upsert import upsert
from sipguard.registry.values import shown_number
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime

KINDS = {kind.name.lower(): kind for kind in RightKind}


class NumberEntry(NamedTuple):
    """One right as stored; ``kind`` is owned, verified or delegated."""

    tn: TN
    account: str
    kind: str = "owned"
    expires: UnixTime | None = None
    end_user: str | None = None
    trunk: str | None = None


class Numbers:
    """The number rights of one registry. Every method raises RegistryError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, account: str | None = None) -> list[NumberEntry]:
        """All rights, or those of one account, by number."""
        with self._database.reading() as connection:
            return read_numbers(connection, account)

    def trunks(self) -> Sequence[str]:
        """The trunks that numbers are to be reached by."""
        with self._database.reading() as connection:
            statement = select(NumberRow.trunk).where(NumberRow.trunk.is_not(None)).distinct()
            return [trunk for trunk in connection.execute(statement).scalars() if trunk is not None]

    def add(self, entry: NumberEntry) -> None:
        """Give an account a right, or change the one it has."""
        with self._database.writing() as session:
            problem = right_problem(session, entry) or ownership_problem(session, entry)
            if problem is not None:
                raise RegistryError(problem)
            write_numbers(session, [entry])
            self._database.audit(session, "number.add", entry.tn, account=entry.account, kind=entry.kind)

    def remove(self, tn: TN, account: str | None = None) -> int:
        """Take the right to a number away, from one account or from all; returns how many rights ended."""
        with self._database.writing() as session:
            statement = delete(NumberRow).where(NumberRow.tn == tn)
            if account is not None:
                statement = statement.where(NumberRow.account == account)
            removed = session.execute(statement.returning(NumberRow.account)).scalars().all()
            if not removed:
                raise RegistryError(f"nobody has a right to {shown_number(tn)}")
            self._database.audit(session, "number.remove", tn, accounts=list(removed))
            return len(removed)


def read_numbers(connection: Connection, account: str | None = None) -> list[NumberEntry]:
    """All rights, or those of one account, by number."""
    table = NumberRow.__table__.c
    statement = select(table.tn, table.account, table.kind, table.expires, table.end_user, table.trunk)
    if account is not None:
        statement = statement.where(table.account == account)
    return [NumberEntry(*row) for row in connection.execute(statement.order_by(table.tn, table.account))]


def write_numbers(session: Session, entries: Sequence[NumberEntry]) -> None:
    """Add or replace rights."""
    upsert(session, NumberRow, [entry._asdict() for entry in entries])


def right_problem(session: Session, entry: NumberEntry) -> str | None:
    """Why this right cannot be: its account or end user is not there."""
    if session.get(AccountRow, entry.account) is None:
        return f'no account is called "{entry.account}"'
    if entry.end_user is not None:
        known = {account.name: account for account in read_accounts(session)}
        return end_user_problem(entry, path_of(entry.end_user, known))
    return None


def end_user_problem(entry: NumberEntry, path: tuple[str, ...]) -> str | None:
    """Why the end user of a right is not one: ``path`` is the end user's place in the tree, empty when unknown."""
    if entry.account in path[:-1]:
        return None
    return f'"{entry.end_user}" is not an end user of account "{entry.account}"'


def ownership_problem(session: Session, entry: NumberEntry) -> str | None:
    """Why this right cannot be: another account owns the number."""
    if entry.kind != "owned":
        return None
    owner = session.execute(
        select(NumberRow.account).where(
            NumberRow.tn == entry.tn, NumberRow.kind == "owned", NumberRow.account != entry.account
        )
    ).scalar()
    return None if owner is None else f'{shown_number(entry.tn)} is owned by account "{owner}" already'
