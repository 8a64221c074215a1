"""The kinds of CSV file: accounts, numbers, emergency registrations, do-not-originate lists."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from sys import intern  # of words that stand in a million rows one is kept
from typing import Any

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Session

from sipguard.config.checks import certificate_problem
from sipguard.config.dial_plan import dial_plan
from sipguard.config.suggestion import suggestion
from sipguard.policy.account import AccountState
from sipguard.policy.call_lists import DoNotCall
from sipguard.policy.caller_numbers import CallerNumbers
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.registry.account_states import transition_problem
from sipguard.registry.accounts import (
    AccountEntry,
    burst_problem,
    displaced,
    entry_of,
    parent_problem,
    path_of,
    read_accounts,
    write_accounts,
)
from sipguard.registry.csv_file import Columns, RowProblem
from sipguard.registry.emergency import STATUSES, EmergencyEntry, activated, write_emergency
from sipguard.registry.import_plan import Format, Numbered
from sipguard.registry.imports import repeated
from sipguard.registry.lists import PatternEntry, write_patterns
from sipguard.registry.numbers import KINDS, NumberEntry, end_user_problem, write_numbers
from sipguard.registry.ownership import Claim, conflicts
from sipguard.registry.schema import AccountKind, AccountRow, EmergencyRow, ListRow, NumberRow
from sipguard.registry.values import (
    account_name,
    address_unit,
    call_count,
    call_rate,
    caller_name,
    canonical_number,
    canonical_pattern,
    choice,
    country_list,
    expiry,
    list_source,
    presentable_right,
    right_warning,
    shown_number,
    trunk_name,
)


class AccountsFormat(Format[AccountEntry]):
    """``name,kind,parent,state,attest_cap,emergency_unprovisioned,certificate,caller_name,countries,do_not_call``, and
    the limits on its calls, ``max_rate,max_burst,max_calls``.

    Parents may stand below their children.
    """

    noun = "account"
    table = AccountRow
    fields = AccountEntry._fields
    never_empty = ("kind", "state")
    columns = Columns(
        ("name",),
        (
            "kind", "parent", "state", "attest_cap", "emergency_unprovisioned", "certificate", "caller_name",
            "countries", "do_not_call", "max_rate", "max_burst", "max_calls",
        ),
    )  # fmt: skip

    def __init__(self, certificates: Collection[str] | None = None) -> None:
        """``certificates`` are the names that the configuration has; without them a name is not looked up."""
        self._certificates = certificates

    @staticmethod
    def make(values: Iterable[Any]) -> AccountEntry:
        """The account of these values."""
        return entry_of(tuple(values))

    def entry(self, values: dict[str, str]) -> AccountEntry:
        """The account of one row. Raises ValueError."""
        return AccountEntry(
            account_name(values["name"]),
            AccountKind(choice("kind", values["kind"] or "account", tuple(AccountKind))),
            values["parent"] or None,
            AccountState(choice("state", values["state"] or "active", tuple(AccountState))),
            choice("attest_cap", values["attest_cap"], ("", "B", "C")) or None,
            choice("emergency_unprovisioned", values["emergency_unprovisioned"], ("", *Unprovisioned)) or None,
            self._certificate(values["certificate"]),
            caller_name(values["caller_name"]) if values["caller_name"] else None,
            country_list(values["countries"]) if values["countries"] else None,
            choice("do_not_call", values["do_not_call"], ("", *DoNotCall)) or None,
            call_rate(values["max_rate"]) if values["max_rate"] else None,
            call_count(values["max_burst"]) if values["max_burst"] else None,
            call_count(values["max_calls"]) if values["max_calls"] else None,
        )

    def _certificate(self, name: str) -> str | None:
        if name and self._certificates is not None:
            for problem in certificate_problem("", name, self._certificates):
                raise ValueError(problem.message)
        return name or None

    def problems(self, session: Session, entries: Sequence[Numbered[AccountEntry]]) -> Iterator[RowProblem]:
        """Names that repeat, states that cannot follow, and places in the tree that cannot be."""
        yield from repeated([(line, entry.name) for line, entry in entries], lambda name: f'account "{name}"')
        lines = {entry.name: line for line, entry in entries}
        stored = {entry.name: entry for entry in read_accounts(session)}
        for line, entry in entries:
            before = stored.get(entry.name)
            problem = None if before is None else transition_problem(entry.name, before.state, entry.state)
            problem = problem or burst_problem(entry.max_rate, entry.max_burst)
            if problem is not None:
                yield RowProblem(line, problem)
        known = stored | {entry.name: entry for _, entry in entries}
        for entry in known.values():
            problem = parent_problem(entry, known)
            if problem is not None:  # a row may also break an account that it is to be the parent of
                yield RowProblem(lines.get(entry.name) or lines.get(entry.parent or "", 0), problem)
        for end_user, problem in displaced(session, stored, known):
            moved = (lines[name] for name in reversed(path_of(end_user, known)) if name in lines)
            yield RowProblem(next(moved, 0), problem)

    def store(self, session: Session, entries: Sequence[AccountEntry], _imported: int | None) -> None:
        """Add or replace accounts."""
        write_accounts(session, entries)


class NumbersFormat(Format[NumberEntry]):
    """``number,account,kind,expires,end_user,trunk,max_calls``; national numbers are of the given country.

    A number with trailing X is a block (``+1415555XXXX``).
    """

    noun = "number"
    table = NumberRow
    fields = NumberEntry._fields
    make = NumberEntry._make
    columns = Columns(("number", "account", "kind"), ("expires", "end_user", "trunk", "max_calls"))

    def __init__(self, country: str = "US", callers: CallerNumbers | None = None) -> None:
        """``callers`` judges the numbers; without it any that could be one is taken."""
        self._plan = dial_plan(country)
        self._callers = callers

    def entry(self, values: dict[str, str]) -> NumberEntry:
        """The right of one row. Raises ValueError."""
        return NumberEntry(
            presentable_right(values["number"], self._plan, self._callers),
            intern(values["account"]),
            intern(choice("kind", values["kind"].lower(), tuple(KINDS))),
            expiry(values["expires"]),
            values["end_user"] or None,
            trunk_name(values["trunk"]) if values["trunk"] else None,
            call_count(values["max_calls"]) if values["max_calls"] else None,
        )

    def problems(self, session: Session, entries: Sequence[Numbered[NumberEntry]]) -> Iterator[RowProblem]:
        """Accounts and end users that are not there, rights given twice, numbers with two owners."""
        known = {entry.name: entry for entry in read_accounts(session)}
        for line, entry in entries:
            if entry.account not in known:
                yield RowProblem(line, f'no account is called "{entry.account}"{suggestion(entry.account, known)}')
            elif entry.end_user is not None:
                problem = end_user_problem(entry, path_of(entry.end_user, known))
                if problem is not None:
                    yield RowProblem(line, problem)
        rights = ((line, (entry.tn, entry.account)) for line, entry in entries)
        yield from repeated(rights, lambda _: "the same number and account")
        yield from _taken(session, entries)

    def warnings(self, entries: Sequence[Numbered[NumberEntry]]) -> Iterator[RowProblem]:
        """Numbers that may be called, and not called from."""
        if self._callers is not None:
            for line, entry in entries:
                warning = right_warning(entry.tn, self._plan, self._callers)
                if warning:
                    yield RowProblem(line, warning)

    def in_order(self, entries: list[NumberEntry]) -> list[NumberEntry]:
        """Owners last: a number has one at most, and the file may end the ownership of another account."""
        return sorted(entries, key=lambda entry: entry.kind == "owned")

    def store(self, session: Session, entries: Sequence[NumberEntry], imported: int | None) -> None:
        """Add or replace rights."""
        write_numbers(session, entries, imported)


def _taken(session: Session, entries: Sequence[Numbered[NumberEntry]]) -> Iterator[RowProblem]:
    """Numbers that two accounts would own; an owner in the registry whom the file makes something else is none."""
    claims = [Claim(line, entry.tn, entry.account) for line, entry in entries if entry.kind == "owned"]
    released = {(entry.tn, entry.account) for _, entry in entries if entry.kind != "owned"}
    for claim, pattern, owner, line in conflicts(session, claims, released):
        what = shown_number(claim.pattern)
        if pattern != claim.pattern:
            what += f" overlaps {shown_number(pattern)}, which"
        where = f"in line {line}" if line else "in the registry"
        yield RowProblem(claim.line, f'{what} is owned by account "{owner}" {where} already')


class EmergencyFormat(Format[EmergencyEntry]):
    """``number,account,country,status,paid,location,unit,callback,activated_at``.

    National numbers are of the row's country.
    """

    noun = "emergency"
    table = EmergencyRow
    fields = EmergencyEntry._fields
    make = EmergencyEntry._make
    columns = Columns(
        ("number", "account", "country", "status"), ("paid", "location", "unit", "callback", "activated_at")
    )

    def entry(self, values: dict[str, str]) -> EmergencyEntry:
        """The registration of one row. Raises ValueError."""
        country = dial_plan(values["country"]).country
        return EmergencyEntry(
            canonical_number(values["number"], country),
            values["account"],
            country,
            choice("status", values["status"].lower(), STATUSES),
            choice("paid", values["paid"].lower(), ("", "no", "yes")) == "yes",
            values["location"] or None,
            address_unit(values["unit"]) if values["unit"] else None,
            canonical_number(values["callback"], country) if values["callback"] else None,
            expiry(values["activated_at"]),
        )

    def problems(self, session: Session, entries: Sequence[Numbered[EmergencyEntry]]) -> Iterator[RowProblem]:
        """Accounts that are not there, and numbers that repeat."""
        known = {entry.name for entry in read_accounts(session)}
        for line, entry in entries:
            if entry.account not in known:
                yield RowProblem(line, f'no account is called "{entry.account}"{suggestion(entry.account, known)}')
        yield from repeated([(line, entry.tn) for line, entry in entries], lambda tn: shown_number(str(tn)))

    def settled(self, entry: EmergencyEntry, before: EmergencyEntry | None) -> EmergencyEntry:
        """With the time of activation that it keeps, or gets."""
        return activated(entry, None if before is None else before.activated_at)

    def store(self, session: Session, entries: Sequence[EmergencyEntry], _imported: int | None) -> None:
        """Add or replace registrations."""
        write_emergency(session, entries)


class DoNotOriginateFormat(Format[PatternEntry]):
    """``pattern,action,source,expires``: numbers and blocks with trailing X, national ones of the given country."""

    noun = "list"
    table = ListRow
    fields = PatternEntry._fields
    make = PatternEntry._make
    columns = Columns(("pattern",), ("action", "source", "expires"))

    def __init__(self, country: str = "US", *, replace: bool = False) -> None:
        """``replace``: the file is the whole list."""
        self._plan = dial_plan(country)
        self._replace = replace

    def entry(self, values: dict[str, str]) -> PatternEntry:
        """The pattern of one row. Raises ValueError."""
        return PatternEntry(
            canonical_pattern(values["pattern"], self._plan),
            choice("action", values["action"].lower() or "block", ("block",)),
            list_source(values["source"]),
            expiry(values["expires"]),
        )

    def problems(self, session: Session, entries: Sequence[Numbered[PatternEntry]]) -> Iterator[RowProblem]:
        """Patterns that repeat."""
        return repeated([(line, entry.pattern) for line, entry in entries], str)

    def replaced(self) -> ColumnElement[bool] | None:
        """The list, if the file is the whole of it."""
        return true() if self._replace else None

    def store(self, session: Session, entries: Sequence[PatternEntry], imported: int | None) -> None:
        """Add or replace patterns."""
        write_patterns(session, entries, imported)
