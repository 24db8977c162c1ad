"""The log of predictions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """The table `predictions`; what its columns hold stands in backend/store/sql.py."""
    op.create_table(
        "predictions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("flight", sa.String(length=40), nullable=False),
        sa.Column("variant", sa.String(length=50), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.String(length=36), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("past", sa.Boolean(), nullable=False),
        sa.Column("dest", sa.String(length=4), nullable=False),
        sa.Column("scheduled_departure", sa.BigInteger(), nullable=False),
        sa.Column("scheduled_arrival", sa.BigInteger(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("base_rate", sa.Float(), nullable=False),
        sa.Column("shadow_version", sa.Integer(), nullable=True),
        sa.Column("shadow_probability", sa.Float(), nullable=True),
        sa.Column("feature_list", sa.String(length=20), nullable=False),
        sa.Column("features", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("flight", "as_of", "account", "variant", name="same_question_once"),
    )
    op.create_index("predictions_as_of", "predictions", ["as_of"], unique=False)
