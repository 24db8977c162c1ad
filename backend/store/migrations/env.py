"""What Alembic runs: the migrations, on the connection and in the transaction that backend/store/migrate.py hands over."""

from alembic import context

from backend.store import sql

context.configure(
    connection=context.config.attributes["connection"], target_metadata=sql.metadata, render_as_batch=True
)
context.run_migrations()
