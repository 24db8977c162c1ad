"""What Alembic runs: the migrations, on the connection and in the transaction of backend/store/migrate.py."""

# pylint: disable=no-member  # Alembic fills its `context` only while it runs
from alembic import context

from backend.store import sql

context.configure(
    connection=context.config.attributes["connection"], target_metadata=sql.metadata, render_as_batch=True
)
context.run_migrations()
