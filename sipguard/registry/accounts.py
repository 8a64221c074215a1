"""The account tree: who is whose customer, and in which state."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import CTE, ColumnElement, Connection, delete, select, update
from sqlalchemy.orm import Session

from sipguard.errors import RegistryError
from sipguard.policy.account import AccountState
from sipguard.registry.account_states import strictest, transition_problem
from sipguard.registry.database import Database
from sipguard.registry.schema import AccountKind, AccountRow, CallListRow, EmergencyRow, NumberRow, TrunkRow
from sipguard.registry.upsert import upsert
from sipguard.traffic.limit import CallLimit

_BATCH = 500  # names in one question to the database
_LEVEL = {kind: level for level, kind in enumerate(AccountKind)}


class AccountEntry(NamedTuple):
    """One account as stored; its effective state also depends on the accounts above it."""

    name: str
    kind: AccountKind = AccountKind.ACCOUNT
    parent: str | None = None
    state: AccountState = AccountState.ACTIVE
    attest_cap: str | None = None
    emergency_unprovisioned: str | None = None
    certificate: str | None = None
    caller_name: str | None = None
    countries: str | None = None  # ISO 3166 codes with spaces between, or *
    do_not_call: str | None = None  # off, internal or national
    max_rate: float | None = None  # calls a second, with those of everything below it; 0: no limit
    max_burst: int | None = None
    max_calls: int | None = None  # at a time

    @property
    def limit(self) -> CallLimit | None:
        """Its own limit, None when none of the three figures is given; one that is left out limits nothing then."""
        if self.max_rate is None and self.max_burst is None and self.max_calls is None:
            return None
        return CallLimit(self.max_rate or 0.0, self.max_burst or 0, self.max_calls or 0)


class StateChange(NamedTuple):
    """What a change of one state did to the state in force of an account: the one it was made to, or one below."""

    name: str
    before: AccountState
    after: AccountState


class Accounts:
    """The accounts of one registry. Every method raises RegistryError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> list[AccountEntry]:
        """All accounts, by name."""
        with self._database.reading() as connection:
            return read_accounts(connection)

    def path(self, name: str) -> Sequence[AccountEntry]:
        """From the top of the tree down to an account."""
        with self._database.reading() as connection:
            known = read_above(connection, [name])
        if name not in known:
            raise RegistryError(f'no account is called "{name}"')
        return [known[above] for above in path_of(name, known)]

    def add(self, entry: AccountEntry) -> None:
        """Add an account; one of this name must not exist."""
        with self._database.writing() as session:
            if session.get(AccountRow, entry.name) is not None:
                raise RegistryError(f'account "{entry.name}" exists already')
            _check_burst(entry.max_rate, entry.max_burst)
            write_accounts(session, [entry])
            check_tree(read_accounts(session))
            self._database.audit(session, "account.add", entry.name, None, entry._asdict())

    def change(self, name: str, **values: str | float | None) -> None:
        """Change columns of an account."""
        with self._database.writing() as session:
            row = session.get(AccountRow, name)
            if row is None:
                raise RegistryError(f'no account is called "{name}"')
            before = {column: getattr(row, column) for column in values}
            state = values.get("state")
            if state is not None:
                _check_transition(row, AccountState(str(state)))
            _check_burst(*(values.get(column, getattr(row, column)) for column in ("max_rate", "max_burst")))
            stood = read_accounts(session) if "parent" in values else ()
            session.execute(update(AccountRow).where(AccountRow.name == name).values(**values))
            now = read_accounts(session)
            check_tree(now)
            for _, problem in displaced(session, {entry.name: entry for entry in stood}, {e.name: e for e in now}):
                raise RegistryError(problem)
            self._database.audit(session, "account.set", name, before, values)

    def put_into(
        self, name: str, state: AccountState, *, reason: str | None = None, force: bool = False
    ) -> Sequence[StateChange]:
        """Put an account into a state, for a reason that the audit keeps; returns whose state in force changed by it.

        ``force`` takes a termination back.
        """
        with self._database.writing() as session:
            row = session.get(AccountRow, name)
            if row is None:
                raise RegistryError(f'no account is called "{name}"')
            before = row.state
            _check_transition(row, state, force=force)
            connection = session.connection()
            names = [entry.name for entry in read_below(connection, [name])]
            in_force = _states_in_force(connection, names)
            session.execute(update(AccountRow).where(AccountRow.name == name).values(state=state.value))
            after: dict[str, object] = {"state": state.value, "reason": reason}
            self._database.audit(session, "account.set", name, {"state": before}, after)
            now = _states_in_force(connection, names)
            return [StateChange(n, in_force[n], now[n]) for n in sorted(names) if now[n] is not in_force[n]]

    def remove(self, name: str) -> None:
        """Remove an account that nothing belongs to any more."""
        with self._database.writing() as session:
            row = session.get(AccountRow, name)
            if row is None:
                raise RegistryError(f'no account is called "{name}"')
            before = {column: getattr(row, column) for column in AccountEntry._fields}
            for table, column, things in (
                (AccountRow, AccountRow.parent, "accounts below it"),
                (NumberRow, NumberRow.account, "numbers"),
                (NumberRow, NumberRow.end_user, "numbers of an end user"),
                (EmergencyRow, EmergencyRow.account, "emergency registrations"),
                (TrunkRow, TrunkRow.account, "trunks"),
                (CallListRow, CallListRow.account, "entries on its call lists"),
            ):
                if session.execute(select(table).where(column == name).limit(1)).first() is not None:
                    raise RegistryError(f'account "{name}" still has {things}; remove those first')
            session.execute(delete(AccountRow).where(AccountRow.name == name))
            self._database.audit(session, "account.remove", name, before, None)


def _check_transition(row: AccountRow, state: AccountState, *, force: bool = False) -> None:
    """Raise RegistryError when this state cannot follow the one the account is in."""
    problem = transition_problem(row.name, AccountState(row.state), state, force=force)
    if problem is not None:
        raise RegistryError(problem)


def burst_problem(rate: float | None, burst: float | None) -> str | None:
    """What is wrong with a burst: by itself it limits nothing, but would take the place of a configured limit."""
    return "max_burst needs max_rate: it says how many of those calls may come at once" if burst and not rate else None


def _check_burst(rate: Any, burst: Any) -> None:
    """Raise RegistryError when there is a burst of nothing."""
    problem = burst_problem(rate, burst)
    if problem is not None:
        raise RegistryError(problem)


def _states_in_force(connection: Connection, names: Iterable[str]) -> dict[str, AccountState]:
    known = read_above(connection, names)
    return {name: strictest(known[above].state for above in path_of(name, known)) for name in known}


def read_accounts(connection: Session | Connection) -> list[AccountEntry]:
    """All accounts, by name."""
    table = AccountRow.__table__.c
    rows = connection.execute(select(*(table[field] for field in AccountEntry._fields)).order_by(table.name))
    return [entry_of(tuple(row)) for row in rows]


def read_below(connection: Connection, names: Iterable[str]) -> Sequence[AccountEntry]:
    """These accounts and everything below them; a name that is no account (any more) is left out."""
    return _read_related(connection, names, lambda tree: AccountRow.parent == tree.c.name)


def read_above(connection: Connection, names: Iterable[str]) -> dict[str, AccountEntry]:
    """These accounts and everything above them, by name."""
    related = _read_related(connection, names, lambda tree: AccountRow.name == tree.c.parent)
    return {entry.name: entry for entry in related}


def _read_related(
    connection: Connection, names: Iterable[str], step: Callable[[CTE], ColumnElement[bool]]
) -> list[AccountEntry]:
    listed = list(names)
    found: dict[str, AccountEntry] = {}
    columns = [AccountRow.__table__.c[field] for field in AccountEntry._fields]
    for start in range(0, len(listed), _BATCH):
        batch = listed[start : start + _BATCH]
        tree = select(AccountRow.name, AccountRow.parent).where(AccountRow.name.in_(batch)).cte(recursive=True)
        tree = tree.union(select(AccountRow.name, AccountRow.parent).join(tree, step(tree)))
        for row in connection.execute(select(*columns).where(AccountRow.name.in_(select(tree.c.name)))):
            found[row.name] = entry_of(tuple(row))
    return list(found.values())


def entry_of(row: Sequence[Any]) -> AccountEntry:
    """The account of a stored row."""
    name, kind, parent, state, *rest = row
    return AccountEntry(name, AccountKind(kind), parent, AccountState(state), *rest)


def write_accounts(session: Session, entries: Sequence[AccountEntry]) -> None:
    """Add or replace accounts; a parent may come after its children, even in a later call of the transaction."""
    upsert(session, AccountRow, [entry._asdict() for entry in entries])


def check_tree(entries: Iterable[AccountEntry]) -> None:
    """Raise RegistryError when the accounts are no tree."""
    known = {entry.name: entry for entry in entries}
    for entry in known.values():
        problem = parent_problem(entry, known)
        if problem is not None:
            raise RegistryError(problem)


def parent_problem(entry: AccountEntry, known: Mapping[str, AccountEntry]) -> str | None:
    """What is wrong with an account's place in the tree. Levels only go down, so there can be no cycle."""
    if entry.parent is None:
        return f'end user "{entry.name}" needs a parent' if entry.kind is AccountKind.END_USER else None
    parent = known.get(entry.parent)
    if parent is None:
        return f'the parent of "{entry.name}", "{entry.parent}", is not an account'
    if _LEVEL[parent.kind] >= _LEVEL[entry.kind]:
        return f'"{entry.name}" ({entry.kind}) cannot be below "{parent.name}" ({parent.kind})'
    return None


def displaced(
    session: Session, before: Mapping[str, AccountEntry], after: Mapping[str, AccountEntry]
) -> Iterator[tuple[str, str]]:
    """End users that would no longer be below the account whose numbers they have, and the sentence that says so.

    Their state and limits, and those of whoever is above them, hold for calls from these numbers.
    """
    if all(entry.parent == before[name].parent for name, entry in after.items() if name in before):
        return
    pairs = select(NumberRow.end_user, NumberRow.account).where(NumberRow.end_user.is_not(None)).distinct()
    for end_user, account in ((str(name), str(account)) for name, account in session.execute(pairs)):
        if account in path_of(end_user, before) and account not in path_of(end_user, after):
            yield end_user, f'end user "{end_user}" has numbers of account "{account}"; give those to another first'


def path_of(name: str, known: Mapping[str, AccountEntry]) -> tuple[str, ...]:
    """The names from the top of the tree down to an account."""
    path: list[str] = []
    current: str | None = name
    while current is not None and current in known:
        path.append(current)
        current = known[current].parent
    return tuple(reversed(path))
