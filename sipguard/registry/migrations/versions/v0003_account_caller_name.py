"""Accounts may have a name to show to the people they call."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column."""
    op.add_column("accounts", sa.Column("caller_name", sa.String(64)))
