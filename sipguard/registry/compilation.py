"""Compiling what the registry says of numbers into one block of octets (``policy/compiled``)."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import InstrumentedAttribute

from sipguard.policy.compiled import Contents, Octets, Rows, compile_block
from sipguard.policy.pattern import Form, block_key, forms_of, split_block
from sipguard.registry.numbers import KINDS
from sipguard.registry.schema import AuditRow, EmergencyRow, ListRow, NumberRow, Table

_BATCH = 20_000  # rows fetched at a time


def compile_registry(connection: Connection) -> list[Octets]:
    """Everything the registry says of numbers, as a compiled block in pieces."""
    revision = latest_revision(connection)
    number_blocks, listed_blocks = _blocks(connection, NumberRow.tn), _blocks(connection, ListRow.pattern)
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
            },
            _forms(number_blocks),
            _forms(listed_blocks),
            {
                "numbers": _rights(connection, "NOT LIKE"),
                "number_blocks": _by_block_key(_rights(connection, "LIKE")),
                "emergency": _registrations(connection),
                "listed": _entries(connection, "NOT LIKE"),
                "listed_blocks": _by_block_key(_entries(connection, "LIKE")),
            },
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


def _rights(connection: Connection, how: str) -> Rows:
    """By number: who may use it, in one value per number."""
    rows = _rows(
        connection,
        f"SELECT tn, account, kind, expires, end_user, trunk FROM numbers WHERE tn {how} '%X' ORDER BY tn, account",  # noqa: S608
    )
    kinds = {name: int(kind) for name, kind in KINDS.items()}
    latest: str | None = None
    rights: tuple[tuple[Any, ...], ...] = ()
    for tn, account, kind, expires, end_user, trunk in rows:
        right = (account, kinds[kind], expires, end_user, trunk)
        if tn == latest:
            rights += (right,)
            continue
        if latest is not None:
            yield latest, rights
        latest, rights = tn, (right,)
    if latest is not None:
        yield latest, rights


def _registrations(connection: Connection) -> Rows:
    for tn, *value in _rows(connection, "SELECT tn, account, country, status, paid, location FROM emergency"):
        value[3] = bool(value[3])
        yield tn, tuple(value)


def _entries(connection: Connection, how: str) -> Rows:
    statement = f"SELECT pattern, source, expires FROM do_not_originate WHERE pattern {how} '%X'"  # noqa: S608
    for pattern, *value in _rows(connection, statement):
        yield pattern, tuple(value)


def _by_block_key(rows: Rows) -> Rows:
    for pattern, value in rows:
        block = split_block(pattern)
        if block is not None:
            yield block_key(*block), value


def _rows(connection: Connection, statement: str) -> Iterator[Any]:
    """The driver's own rows: there may be millions."""
    cursor = connection.exec_driver_sql(statement).cursor
    while cursor is not None and (batch := cursor.fetchmany(_BATCH)):
        yield from batch


def _count(connection: Connection, table: type[Table]) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _blocks(connection: Connection, column: InstrumentedAttribute[str]) -> list[str]:
    return list(connection.execute(select(column).where(column.like("%X")).distinct()).scalars())


def _forms(patterns: list[str]) -> list[Form]:
    return forms_of(block for block in map(split_block, patterns) if block is not None)
