"""Rows of the large tables refer to the import they came with; the audit is searched by what was changed."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns and the index."""
    for table in ("numbers", "do_not_originate", "call_lists"):
        op.add_column(table, sa.Column("imported", sa.BigInteger))
    op.create_index("ix_audit_subject", "audit", ["subject"])
