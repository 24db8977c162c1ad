"""Sessions from which tokens are refreshed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """The hash of a family's unused refresh token."""
    op.add_column("sessions", sa.Column("refresh_hash", sa.String(length=64), nullable=True))
