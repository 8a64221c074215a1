"""Customer trunks may be known by user names and passwords."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "credentials",
        sa.Column("realm", sa.String(128), primary_key=True),
        sa.Column("username", sa.String(64), primary_key=True),
        sa.Column("algorithm", sa.String(16), primary_key=True),
        sa.Column("trunk", sa.String(64), nullable=False, index=True),
        sa.Column("secret", sa.String(64), nullable=False),
    )
