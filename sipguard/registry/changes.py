"""What changed in the registry since a revision. The audit trail is the feed: an entry's number is the revision, and it
names what it changed.

A change to single things is read and laid over what is known. An import changes too much for that: after one, numbers
are compiled anew.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, not_, select

from sipguard.policy.call_lists import Listings, listings_of
from sipguard.policy.number_book import NumberChanges
from sipguard.policy.right import EmergencyRegistration, ListEntry, NumberRight
from sipguard.registry.emergency import EmergencyEntry
from sipguard.registry.numbers import KINDS, NumberEntry
from sipguard.registry.schema import AuditRow, CallListRow, EmergencyRow, ListRow, NumberRow
from sipguard.stir.telephone_number import TN

MOST_CHANGES = 20_000  # of single things; after more, compiling anew is the cheaper way
_BATCH = 500  # names in one question to the database
_BY_NUMBER = ("number", "emergency", "list", "call-list")


class Touched(NamedTuple):
    """What was changed, by noun of the audit entry; ``wholesale`` is whether an import changed numbers.

    ``latest`` is the revision at which that was so, where it was asked for.
    """

    subjects: Mapping[str, frozenset[str]]
    wholesale: bool
    latest: int = 0

    def of(self, noun: str) -> frozenset[str]:
        """The things of one kind."""
        return self.subjects.get(noun, frozenset())


def touched_since(connection: Connection, revision: int) -> Touched:
    """What the audit trail says was changed after a revision."""
    table = AuditRow.__table__.c
    later, imports = table.number > revision, table.what.like("%.import")
    statement = select(table.what, table.subject).where(later, not_(imports)).limit(MOST_CHANGES + 1)
    rows = connection.execute(statement).all()
    subjects: dict[str, set[str]] = {}
    wholesale = len(rows) > MOST_CHANGES
    for what, subject in rows:
        subjects.setdefault(what.partition(".")[0], set()).add(subject)
    for what in connection.execute(select(table.what).where(later, imports).distinct()).scalars():
        noun = what.partition(".")[0]
        wholesale = wholesale or noun in _BY_NUMBER
        subjects.setdefault(noun, set()).add("")  # an entry for each row says no more than that there was an import
    return Touched({noun: frozenset(names) for noun, names in subjects.items()}, wholesale)


def read_changes(connection: Connection, touched: Touched) -> NumberChanges:
    """What holds now of the numbers that were touched."""
    return NumberChanges(
        _rights(connection, touched.of("number")),
        _registrations(connection, touched.of("emergency")),
        _entries(connection, touched.of("list")),
        _listings(connection, touched.of("call-list")),
    )


def _rights(connection: Connection, patterns: Iterable[str]) -> dict[str, dict[str, NumberRight]]:
    table = NumberRow.__table__.c
    columns = [table[name] for name in NumberEntry._fields]
    found: dict[str, dict[str, NumberRight]] = {pattern: {} for pattern in patterns}
    for batch in _batches(found):
        for tn, account, kind, *rest in connection.execute(select(*columns).where(table.tn.in_(batch))):
            found[tn][account] = NumberRight(account, KINDS[kind], *rest)
    return found


def _registrations(connection: Connection, numbers: Iterable[str]) -> dict[TN, EmergencyRegistration | None]:
    table = EmergencyRow.__table__.c
    columns = [table[name] for name in EmergencyEntry._fields]
    found: dict[TN, EmergencyRegistration | None] = dict.fromkeys(map(TN, numbers))
    for batch in _batches(found):
        for row in connection.execute(select(*columns).where(table.tn.in_(batch))):
            found[row.tn] = EmergencyRegistration(*row)
    return found


def _entries(connection: Connection, patterns: Iterable[str]) -> dict[str, ListEntry | None]:
    table = ListRow.__table__.c
    columns = (table.pattern, table.source, table.expires)
    found: dict[str, ListEntry | None] = dict.fromkeys(patterns)
    for batch in _batches(found):
        for row in connection.execute(select(*columns).where(table.pattern.in_(batch))):
            found[row.pattern] = ListEntry(*row)
    return found


def _listings(connection: Connection, patterns: Iterable[str]) -> dict[str, Listings]:
    table = CallListRow.__table__.c
    columns = (table.pattern, table.account, table.on_list, table.source, table.expires)
    found: dict[str, list[tuple[object, ...]]] = {pattern: [] for pattern in patterns}
    for batch in _batches(found):
        for pattern, *entry in connection.execute(select(*columns).where(table.pattern.in_(batch))):
            found[pattern].append(tuple(entry))
    return {pattern: listings_of(entries) for pattern, entries in found.items()}


def _batches(names: Iterable[str]) -> Iterable[list[str]]:
    listed = list(names)
    return (listed[start : start + _BATCH] for start in range(0, len(listed), _BATCH))
