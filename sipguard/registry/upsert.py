"""Adding rows, or replacing those that are there: INSERT ... ON CONFLICT DO UPDATE, which both stores have."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from sipguard.registry.schema import Table


def upsert(session: Session, table: type[Table], rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows with these values, or replace the values of rows with the same primary key."""
    if not rows:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table.__table__)  # without the mapper: an import may have a million rows
    keys = [column.name for column in inspect(table).primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    session.connection().execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows))
