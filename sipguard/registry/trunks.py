"""Trunks kept in the registry: the same keys and the same rules as ``[[trunk]]`` in the configuration file."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, delete, select

from sipguard.config.trunk import TrunkSection, trunk_problems
from sipguard.errors import RegistryError
from sipguard.registry.credentials import forget_trunk
from sipguard.registry.database import Database
from sipguard.registry.schema import AccountRow, TrunkRow
from sipguard.registry.upsert import upsert

_COLUMNS = ("name", "side", "account", "sources", "targets", "classes")


class Trunks:
    """The trunks of one registry. Every method raises RegistryError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> list[TrunkSection]:
        """All trunks, by name."""
        with self._database.reading() as connection:
            return read_trunks(connection)

    def add(self, trunk: TrunkSection) -> None:
        """Add a trunk, or replace the one of this name."""
        values = trunk.model_dump(mode="json", exclude_unset=True)
        problems = [f"{key}: {text}" for key, text in trunk_problems(values)]
        if problems:
            raise RegistryError(f'trunk "{trunk.name}": {"; ".join(problems)}')
        row: dict[str, Any] = {"account": None, "sources": [], "targets": [], "classes": []}
        row |= {key: value for key, value in values.items() if key in _COLUMNS}
        row["settings"] = {key: value for key, value in values.items() if key not in _COLUMNS}
        with self._database.writing() as session:
            if trunk.account is not None and session.get(AccountRow, trunk.account) is None:
                raise RegistryError(f'no account is called "{trunk.account}"')
            before = _values_of(session.get(TrunkRow, trunk.name))
            upsert(session, TrunkRow, [row])
            self._database.audit(session, "trunk.add", trunk.name, before, values)

    def remove(self, name: str) -> None:
        """Remove a trunk."""
        with self._database.writing() as session:
            before = _values_of(session.get(TrunkRow, name))
            if before is None:
                raise RegistryError(f'no trunk in the registry is called "{name}"')
            session.execute(delete(TrunkRow).where(TrunkRow.name == name))
            users = forget_trunk(session, name)
            self._database.audit(session, "trunk.remove", name, before | ({"users": users} if users else {}), None)


def _values_of(row: TrunkRow | None) -> dict[str, Any] | None:
    """A stored trunk by its keys, those without a value left out."""
    if row is None:
        return None
    return {name: getattr(row, name) for name in _COLUMNS if getattr(row, name)} | dict(row.settings)


def trunk_of(values: Mapping[str, Any]) -> TrunkSection:
    """The trunk these keys describe. Raises RegistryError naming every wrong one."""
    try:
        return TrunkSection.model_validate(values)
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, detail['loc']))}: {detail['msg'].removeprefix('Value error, ')}"
            for detail in error.errors()
        )
        raise RegistryError(f"trunk: {'; '.join(problems)}") from None


def read_trunks(connection: Connection) -> list[TrunkSection]:
    """All trunks, by name."""
    table = TrunkRow.__table__.c
    columns = [table[name] for name in _COLUMNS]
    trunks = []
    for row in connection.execute(select(*columns, table.settings).order_by(table.name)):
        values = {name: value for name, value in zip(_COLUMNS, row, strict=False) if value}
        trunks.append(trunk_of(values | dict(row.settings)))
    return trunks
