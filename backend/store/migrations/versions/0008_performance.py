"""Figures of the answers by day and window."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """The table `performance`; what its columns hold stands in backend/store/sql.py."""
    op.create_table(
        "performance",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("span", sa.String(length=4), nullable=False),
        sa.Column("lead_minutes", sa.Integer(), nullable=False),
        sa.Column("slice", sa.String(length=10), nullable=False),
        sa.Column("value", sa.String(length=10), nullable=False),
        sa.Column("judged_at", sa.BigInteger(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("day", "span", "lead_minutes", "slice", "value", name="slice_of_a_span_once"),
    )
