"""Accounts may have limits of their own on their calls and those of everything below them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("accounts", sa.Column("max_rate", sa.Float))
    op.add_column("accounts", sa.Column("max_burst", sa.Integer))
    op.add_column("accounts", sa.Column("max_calls", sa.Integer))
