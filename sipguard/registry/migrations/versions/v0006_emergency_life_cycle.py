"""Emergency registrations have the rest of an address, a number to call back, and a time of activation."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("emergency", sa.Column("unit", sa.String(64)))
    op.add_column("emergency", sa.Column("callback", sa.String(20)))
    op.add_column("emergency", sa.Column("activated_at", sa.BigInteger))
