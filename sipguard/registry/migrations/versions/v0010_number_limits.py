"""A right to a number may say how many calls the number may have at a time."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column."""
    op.add_column("numbers", sa.Column("max_calls", sa.Integer))
