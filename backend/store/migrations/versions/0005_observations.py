"""Receipts of observations by Idempotency-Key, and data quality counted at the door."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """The tables `receipts` and `quality`; what their columns hold stands in backend/store/sql.py."""
    op.create_table(
        "receipts",
        sa.Column("account", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("receipt", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "key"),
    )
    op.create_index("receipts_created_at", "receipts", ["created_at"], unique=False)
    op.create_table(
        "quality",
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("which", sa.String(length=40), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "what", "which"),
    )
