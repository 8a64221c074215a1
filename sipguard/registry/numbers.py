"""The right to present a number: owned, verified by a letter of authorisation, or delegated to the account."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from sipguard.errors import RegistryError
from sipguard.policy.pattern import block_pattern
from sipguard.policy.right import RightKind
from sipguard.registry.accounts import path_of, read_accounts
from sipguard.registry.database import Database
from sipguard.registry.ownership import Claim, conflicts
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
    max_calls: int | None = None  # at a time, of each number of a block; 0: no limit


_LONGEST_NUMBER = 15  # digits (E.164)
_LAST = "X" * _LONGEST_NUMBER  # sorts behind every number with the same prefix
_SELECTED = select(*(NumberRow.__table__.c[name] for name in NumberEntry._fields)).order_by(
    NumberRow.tn, NumberRow.account
)


class Numbers:
    """The number rights of one registry. Every method raises RegistryError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, account: str | None = None, limit: int | None = None) -> list[NumberEntry]:
        """All rights, or those of one account, by number, at most so many."""
        chosen = [] if account is None else [NumberRow.account == account]
        with self._database.reading() as connection:
            return [NumberEntry(*row) for row in connection.execute(_SELECTED.where(*chosen).limit(limit))]

    def count(self, account: str) -> dict[str, int]:
        """How many rights an account has, by kind; a block counts once."""
        statement = select(NumberRow.kind, func.count()).where(NumberRow.account == account).group_by(NumberRow.kind)
        with self._database.reading() as connection:
            return {str(kind): count for kind, count in connection.execute(statement)}

    def search(self, digits: str, limit: int) -> Sequence[NumberEntry]:
        """The rights to numbers that begin so, and to the blocks such numbers are in."""
        blocks = [
            block_pattern(digits[:prefix], length)
            for prefix in range(1, len(digits))
            for length in range(prefix + 1, _LONGEST_NUMBER + 1)
        ]
        found = or_(NumberRow.tn.between(digits, digits + _LAST), NumberRow.tn.in_(blocks))
        with self._database.reading() as connection:
            return [NumberEntry(*row) for row in connection.execute(_SELECTED.where(found).limit(limit))]

    def export(self, account: str | None = None) -> Iterator[NumberEntry]:
        """All rights, or those of one account, by number, one after the other however many there are."""
        chosen = [] if account is None else [NumberRow.account == account]
        with self._database.reading() as connection:
            for row in connection.execute(_SELECTED.where(*chosen), execution_options={"yield_per": 1000}):
                yield NumberEntry(*row)

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
            before = session.get(NumberRow, (entry.tn, entry.account))
            held = None if before is None else _values_of(before)
            write_numbers(session, [entry])
            self._database.audit(session, "number.add", entry.tn, held, entry._asdict())

    def remove(self, tn: TN, account: str | None = None) -> int:
        """Take the right to a number away, from one account or from all; returns how many rights ended."""
        with self._database.writing() as session:
            chosen = [NumberRow.tn == tn] if account is None else [NumberRow.tn == tn, NumberRow.account == account]
            found, statement = select(NumberRow).where(*chosen), delete(NumberRow).where(*chosen)
            held = [_values_of(row) for row in session.execute(found).scalars()]
            if not held:
                raise RegistryError(f"nobody has a right to {shown_number(tn)}")
            session.execute(statement)
            self._database.audit(session, "number.remove", tn, {"rights": held}, None)
            return len(held)


def _values_of(row: NumberRow) -> dict[str, object]:
    """A right as the audit keeps it: with the import it came with, if it came with one."""
    values = {name: getattr(row, name) for name in NumberEntry._fields}
    return values if row.imported is None else values | {"imported": row.imported}


def write_numbers(session: Session, entries: Sequence[NumberEntry], imported: int | None = None) -> None:
    """Add or replace rights; ``imported`` is the import they come with."""
    upsert(session, NumberRow, [entry._asdict() | {"imported": imported} for entry in entries])


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
    """Why this right cannot be: another account owns the number, or one of the block, or a block it is in."""
    if entry.kind != "owned":
        return None
    for conflict in conflicts(session, [Claim(0, entry.tn, entry.account)]):
        return f'{shown_number(conflict.pattern)} is owned by account "{conflict.account}" already'
    return None
