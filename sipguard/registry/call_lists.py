"""Do-not-call lists: the national one, and for each account who opted out of its calls and who consented to them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from sipguard.errors import RegistryError
from sipguard.policy.call_lists import EVERYBODY, CallList
from sipguard.policy.pattern import block_pattern
from sipguard.registry.database import BATCH, UNSEEN, Database
from sipguard.registry.schema import AccountRow, CallListRow
from sipguard.registry.upsert import upsert
from sipguard.registry.values import shown_number
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime


class CallListEntry(NamedTuple):
    """One entry as stored: a canonical number or block, the account that keeps the list, which list it is."""

    pattern: str
    account: str  # EVERYBODY for the national list
    on_list: CallList
    source: str = ""
    expires: UnixTime | None = None


_COLUMNS = [CallListRow.__table__.c[name] for name in CallListEntry._fields]
_SELECTED = select(*_COLUMNS).order_by(CallListRow.pattern, CallListRow.account, CallListRow.on_list)


class CallLists:
    """The do-not-call lists of one registry. Every method raises RegistryError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, on_list: CallList, account: str | None = None, limit: int | None = None) -> list[CallListEntry]:
        """The entries of a list by number, at most ``limit`` of them; of all accounts or of one."""
        with self._database.reading() as connection:
            found = connection.execute(_SELECTED.where(*_chosen(on_list, account)).limit(limit))
            return [_entry(row) for row in found]

    def export(self, on_list: CallList, account: str | None = None) -> Iterator[CallListEntry]:
        """All entries by number, one after the other however many there are."""
        with self._database.reading() as connection:
            chosen = _SELECTED.where(*_chosen(on_list, account))
            for row in connection.execute(chosen, execution_options={"yield_per": 1000}):
                yield _entry(row)

    def count(self, on_list: CallList, account: str | None = None) -> int:
        """How many entries there are."""
        statement = select(func.count()).select_from(CallListRow).where(*_chosen(on_list, account))
        with self._database.reading() as connection:
            return connection.execute(statement).scalar_one()

    def matching(self, tn: TN) -> Sequence[CallListEntry]:
        """The entries about a number, expired ones too, of every list and account; the longest pattern first."""
        patterns = [tn, *(block_pattern(tn[:prefix], len(tn)) for prefix in range(len(tn)))]
        with self._database.reading() as connection:
            found = [_entry(row) for row in connection.execute(_SELECTED.where(CallListRow.pattern.in_(patterns)))]
        return sorted(found, key=lambda entry: -len(entry.pattern.rstrip("X")))

    def add(self, entry: CallListEntry) -> None:
        """Add an entry, or change the one that is there."""
        with self._database.writing() as session:
            problem = keeper_problem(entry, () if session.get(AccountRow, entry.account) is None else (entry.account,))
            if problem is not None:
                raise RegistryError(problem)
            before = _held(session, entry.pattern, entry.account, entry.on_list)
            write_call_lists(session, [entry])
            self._database.audit(session, "call-list.add", entry.pattern, before, entry._asdict())

    def remove(self, pattern: str, account: str, on_list: CallList) -> None:
        """Remove an entry."""
        with self._database.writing() as session:
            before = _held(session, pattern, account, on_list)
            if before is None:
                whose = f" of account {account}" if account else ""
                raise RegistryError(f"{shown_number(pattern)} is not on the {on_list} list{whose}")
            key = (CallListRow.pattern == pattern, CallListRow.account == account, CallListRow.on_list == on_list.value)
            session.execute(delete(CallListRow).where(*key))
            self._database.audit(session, "call-list.remove", pattern, before, None)

    def clear(self, on_list: CallList, account: str) -> int:
        """Remove every entry of a list; returns how many there were."""
        chosen = (CallListRow.on_list == on_list.value, CallListRow.account == account)
        removed, some = 0, select(CallListRow).where(*chosen).order_by(CallListRow.pattern).limit(BATCH)
        with self._database.writing() as session:
            while rows := session.execute(some).scalars().all():
                removed += len(rows)
                changes = [(row.pattern, _values_of(row), None) for row in rows]
                self._database.audit_rows(session, "call-list.remove", changes)
                gone = delete(CallListRow).where(*chosen, CallListRow.pattern <= rows[-1].pattern)
                session.execute(gone, execution_options=UNSEEN)
                session.expunge_all()
        return removed


def _held(session: Session, pattern: str, account: str, on_list: CallList) -> dict[str, object] | None:
    row = session.get(CallListRow, (pattern, account, on_list.value))
    return None if row is None else _values_of(row)


def _values_of(row: CallListRow) -> dict[str, object]:
    values = {name: getattr(row, name) for name in CallListEntry._fields}
    return values if row.imported is None else values | {"imported": row.imported}


def _entry(row: Sequence[Any]) -> CallListEntry:
    pattern, account, on_list, *rest = row
    return CallListEntry(pattern, account, CallList(on_list), *rest)


def _chosen(on_list: CallList, account: str | None) -> list[ColumnElement[bool]]:
    chosen: list[ColumnElement[bool]] = [CallListRow.on_list == on_list.value]
    if account is not None:
        chosen += [CallListRow.account == account, CallListRow.account != EVERYBODY]  # as the index says
    return chosen


def keeper_problem(entry: CallListEntry, accounts: Iterable[str]) -> str | None:
    """Why this list cannot be: the national one is nobody's, any other is kept by an account there is."""
    if entry.on_list is CallList.NATIONAL:
        return f"the national list is nobody's, not \"{entry.account}\"'s" if entry.account != EVERYBODY else None
    if entry.account == EVERYBODY:
        return f"the {entry.on_list} list is kept for each account; name one"
    return None if entry.account in accounts else f'no account is called "{entry.account}"'


def write_call_lists(session: Session, entries: Sequence[CallListEntry], imported: int | None = None) -> None:
    """Add or replace entries; ``imported`` is the import they come with."""
    upsert(session, CallListRow, [entry._asdict() | {"imported": imported} for entry in entries])
