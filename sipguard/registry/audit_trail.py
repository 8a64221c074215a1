"""Reading the audit: who changed what, when, and what it was before.

A row of a large table that came with an import has no entry of its own but refers to the import's (``imported``). What
stands there today, and what the entries of later changes say stood there before, are read back as that import's doing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, or_, select

from sipguard.policy.pattern import block_pattern
from sipguard.registry.call_lists import CallListEntry
from sipguard.registry.lists import PatternEntry
from sipguard.registry.numbers import NumberEntry
from sipguard.registry.schema import AuditRow, CallListRow, ListRow, NumberRow, Table

# Tables whose rows refer, the column of the number, and what of a row is told.
_REFERRING: tuple[tuple[type[Table], str, tuple[str, ...]], ...] = (
    (NumberRow, "tn", NumberEntry._fields),
    (ListRow, "pattern", PatternEntry._fields),
    (CallListRow, "pattern", CallListEntry._fields),
)
_TABLE = AuditRow.__table__.c
_ENTRY = (_TABLE.number, _TABLE.at, _TABLE.who, _TABLE.what, _TABLE.subject, _TABLE.detail)


class AuditEntry(NamedTuple):
    """One change: when (Unix seconds), who, what, to which thing, and how."""

    at: int
    who: str
    what: str
    subject: str
    detail: dict[str, object]


def audit_entries(
    connection: Connection, *, subject: str | None = None, what: str | None = None, who: str | None = None,
    since: int | None = None, limit: int | None = None,
) -> list[AuditEntry]:  # fmt: skip
    """Changes, the latest first: of a thing, of a kind (``number``, ``number.add``), by a user, since then."""
    statement = select(*_ENTRY[1:]).order_by(_TABLE.number.desc())
    if subject is not None:
        statement = statement.where(_TABLE.subject == subject)
    if what is not None:
        statement = statement.where(or_(_TABLE.what == what, _TABLE.what.startswith(f"{what}.", autoescape=True)))
    if who is not None:
        statement = statement.where(_TABLE.who == who)
    if since is not None:
        statement = statement.where(_TABLE.at >= since)
    return [AuditEntry(*row) for row in connection.execute(statement.limit(limit))]


def number_history(connection: Connection, pattern: str) -> list[AuditEntry]:
    """Every change to a number or a block, and to the blocks it is in, the latest first; also those of imports."""
    prefix = pattern.rstrip("X")
    patterns = [pattern, *(block_pattern(prefix[:length], len(pattern)) for length in range(1, len(prefix)))]
    rows = connection.execute(select(*_ENTRY).where(_TABLE.subject.in_(patterns))).all()
    found = [(row.number, AuditEntry(*row[1:])) for row in rows]
    references = [*_standing(connection, patterns), *_replaced(entry for _, entry in found)]
    imports = {row.number: row for row in _imports(connection, {number for number, _, _ in references})}
    for number, subject, values in references:
        if number in imports:
            found.append((number, _as_if_alone(imports[number], subject, values)))
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0], reverse=True)]


_Reference = tuple[int, str, dict[str, object]]  # of an import, to which number, and what it gave


def _standing(connection: Connection, patterns: Sequence[str]) -> Iterator[_Reference]:
    """What stands there today as an import brought it."""
    for table, key, fields in _REFERRING:
        columns = table.__table__.c
        wanted = select(columns.imported, columns[key], *(columns[name] for name in fields))
        for number, subject, *values in connection.execute(
            wanted.where(columns[key].in_(patterns), columns.imported.is_not(None))
        ):
            yield number, subject, dict(zip(fields, values, strict=True))


def _replaced(entries: Iterator[AuditEntry]) -> Iterator[_Reference]:
    """What stood there as an import had brought it, until something else took its place."""
    for entry in entries:
        before = entry.detail.get("before")
        held = before.get("rights", [before]) if isinstance(before, Mapping) else []
        for values in held:
            number = values.get("imported")
            if isinstance(number, int):
                yield number, entry.subject, {name: value for name, value in values.items() if name != "imported"}


def _imports(connection: Connection, numbers: set[int]) -> Sequence[Any]:
    return connection.execute(select(*_ENTRY).where(_TABLE.number.in_(numbers))).all() if numbers else ()


def _as_if_alone(row: Any, subject: str, values: Mapping[str, object]) -> AuditEntry:
    """An import as the change of one thing: what it gave, and the file it came in."""
    after = row.detail.get("after") or {}
    given = {**values, "file": row.subject, "sha256": after.get("sha256")}
    return AuditEntry(row.at, row.who, row.what, subject, {"before": None, "after": given})
