"""The first schema: accounts, numbers, trunks, emergency registrations, do-not-originate entries, audit."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "accounts",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("parent", sa.String(64), _account(), index=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attest_cap", sa.String(1)),
        sa.Column("emergency_unprovisioned", sa.String(16)),
    )
    op.create_table(
        "numbers",
        sa.Column("tn", sa.String(20), primary_key=True),
        sa.Column("account", sa.String(64), _account(), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("expires", sa.BigInteger),
        sa.Column("end_user", sa.String(64), _account(), index=True),
        sa.Column("trunk", sa.String(64)),
    )
    owned = sa.text("kind = 'owned'")
    op.create_index("one_owner", "numbers", ["tn"], unique=True, sqlite_where=owned, postgresql_where=owned)
    op.create_table(
        "trunks",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("side", sa.String(16), nullable=False),
        sa.Column("account", sa.String(64), _account(), index=True),
        sa.Column("sources", sa.JSON, nullable=False),
        sa.Column("targets", sa.JSON, nullable=False),
        sa.Column("classes", sa.JSON, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
    )
    op.create_table(
        "emergency",
        sa.Column("tn", sa.String(20), primary_key=True),
        sa.Column("account", sa.String(64), _account(), nullable=False, index=True),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("paid", sa.Boolean, nullable=False),
        sa.Column("location", sa.String),
    )
    op.create_table(
        "do_not_originate",
        sa.Column("pattern", sa.String(20), primary_key=True),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("expires", sa.BigInteger),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False, index=True),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("what", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
    )


def _account() -> sa.ForeignKey:
    """A reference to an account, which an import may make before the account."""
    return sa.ForeignKey("accounts.name", deferrable=True, initially="IMMEDIATE")
