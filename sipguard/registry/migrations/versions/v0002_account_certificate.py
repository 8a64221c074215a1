"""Accounts may name the certificate their calls are signed with."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("accounts", sa.Column("certificate", sa.String(64)))
