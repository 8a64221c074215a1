"""Do-not-call lists, national and of accounts, and which of them an account's calls are held against."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the table, and add the column."""
    op.create_table(
        "call_lists",
        sa.Column("pattern", sa.String(20), primary_key=True),
        sa.Column("account", sa.String(64), primary_key=True),
        sa.Column("on_list", sa.String(16), primary_key=True),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("expires", sa.BigInteger),
    )
    kept = sa.text("account <> ''")
    op.create_index("kept_by", "call_lists", ["account"], sqlite_where=kept, postgresql_where=kept)
    op.add_column("accounts", sa.Column("do_not_call", sa.String(16)))
