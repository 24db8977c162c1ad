"""Work that is due by the data clock, what is planned of it, and who holds a name alone."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """The tables `schedules`, `slots` and `leases`; what their columns hold stands in backend/store/sql.py."""
    op.create_table(
        "schedules",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("cron", sa.String(length=80), nullable=False),
        sa.Column("time_zone", sa.String(length=40), nullable=False),
        sa.Column("planned_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "slots",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("job", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("name", "slot"),
    )
    op.create_index("slots_state", "slots", ["state"], unique=False)
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
