"""Compiling what the registry says of numbers into one block of octets (``policy/compiled``)."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute

from sipguard.policy.compiled import Contents, Octets, Rows, compile_block
from sipguard.policy.pattern import Form, block_key, forms_of, split_block
from sipguard.registry.emergency import EmergencyEntry
from sipguard.registry.numbers import KINDS, NumberEntry
from sipguard.registry.schema import AuditRow, CallListRow, EmergencyRow, ListRow, NumberRow, Table

_BATCH = 20_000  # rows fetched at a time


def compile_registry(connection: Connection) -> list[Octets]:
    """Everything the registry says of numbers, as a compiled block in pieces."""
    revision = latest_revision(connection)
    number_blocks, listed_blocks = _blocks(connection, NumberRow.tn), _blocks(connection, ListRow.pattern)
    called_blocks = _blocks(connection, CallListRow.pattern)
    return compile_block(
        Contents(
            revision,
            fingerprint(connection, revision),
            {
                "numbers": _count(connection, NumberRow),
                "number_blocks": len(number_blocks),
                "emergency": _count(connection, EmergencyRow),
                "listed": _count(connection, ListRow),
                "listed_blocks": len(listed_blocks),
                "called": _count(connection, CallListRow),
                "called_blocks": len(called_blocks),
            },
            _forms(number_blocks),
            _forms(listed_blocks),
            {
                "numbers": _rights(connection, blocks=False),
                "number_blocks": _by_block_key(_rights(connection, blocks=True)),
                "emergency": _registrations(connection),
                "listed": _entries(connection, blocks=False),
                "listed_blocks": _by_block_key(_entries(connection, blocks=True)),
                "called": _listings(connection, blocks=False),
                "called_blocks": _by_block_key(_listings(connection, blocks=True)),
            },
            _forms(called_blocks),
        )
    )


def latest_revision(connection: Connection) -> int:
    """The number of the last change."""
    return connection.execute(select(func.max(AuditRow.number))).scalar() or 0


def fingerprint(connection: Connection, revision: int) -> str:
    """What that change was, so that a file compiled from another database is not taken for one of this."""
    table = AuditRow.__table__.c
    row = connection.execute(
        select(table.at, table.who, table.what, table.subject).where(table.number == revision)
    ).first()
    return "" if row is None else "/".join(map(str, row))


def _rights(connection: Connection, *, blocks: bool) -> Rows:
    """By number: who may use it, in one value per number."""
    table = NumberRow.__table__.c
    columns = [table[name] for name in NumberEntry._fields]
    rows = _rows(connection, select(*columns).where(_chosen(table.tn, blocks)).order_by(table.tn, table.account))
    kinds = {name: int(kind) for name, kind in KINDS.items()}
    return _gathered((tn, (account, kinds[kind], *rest)) for tn, account, kind, *rest in rows)


def _gathered(rows: Rows) -> Rows:
    """Rows in the order of their keys, those with the same key as one."""
    latest: str | None = None
    values: tuple[tuple[Any, ...], ...] = ()
    for key, value in rows:
        if key == latest:
            values += (value,)
            continue
        if latest is not None:
            yield latest, values
        latest, values = key, (value,)
    if latest is not None:
        yield latest, values


def _registrations(connection: Connection) -> Rows:
    table = EmergencyRow.__table__.c
    columns = [table[name] for name in EmergencyEntry._fields]
    for tn, *value in _rows(connection, select(*columns)):
        yield tn, tuple(value)


def _entries(connection: Connection, *, blocks: bool) -> Rows:
    table = ListRow.__table__.c
    columns = (table.pattern, table.source, table.expires)
    for pattern, *value in _rows(connection, select(*columns).where(_chosen(table.pattern, blocks))):
        yield pattern, tuple(value)


def _listings(connection: Connection, *, blocks: bool) -> Rows:
    """By number: everything the do-not-call lists say of it, in one value."""
    table = CallListRow.__table__.c
    columns = (table.pattern, table.account, table.on_list, table.source, table.expires)
    chosen = select(*columns).where(_chosen(table.pattern, blocks))
    rows = _rows(connection, chosen.order_by(table.pattern, table.account, table.on_list))
    return _gathered((pattern, tuple(entry)) for pattern, *entry in rows)


def _chosen(column: ColumnElement[str], blocks: bool) -> ColumnElement[bool]:
    """Blocks of numbers, or single ones."""
    return column.like("%X") if blocks else column.not_like("%X")


def _by_block_key(rows: Rows) -> Rows:
    for pattern, value in rows:
        block = split_block(pattern)
        if block is not None:
            yield block_key(*block), value


def _rows(connection: Connection, statement: Select[Any]) -> Iterator[Any]:
    """Rows in batches, from a cursor that stays in the store: there may be millions."""
    result = connection.execute(statement, execution_options={"yield_per": _BATCH})
    for batch in result.partitions():
        yield from batch


def _count(connection: Connection, table: type[Table]) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _blocks(connection: Connection, column: InstrumentedAttribute[str]) -> list[str]:
    return list(connection.execute(select(column).where(column.like("%X")).distinct()).scalars())


def _forms(patterns: list[str]) -> list[Form]:
    return forms_of(block for block in map(split_block, patterns) if block is not None)
