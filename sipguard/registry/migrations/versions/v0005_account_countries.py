"""Accounts may be limited to, or let into, countries."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column."""
    op.add_column("accounts", sa.Column("countries", sa.String(1024)))
