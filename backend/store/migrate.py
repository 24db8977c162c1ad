"""Brings a database to the newest schema with Alembic; processes that start at the same moment wait for each other."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from backend.store import sql

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0009"  # the newest revision, so that asking for it needs no Alembic (a test compares)
ADVISORY_LOCK = 7_285_224  # any number that nothing else on the same PostgreSQL server locks


def upgrade(engine: Engine) -> None:
    """Runs every missing migration in one transaction, under the database's one write lock. Does nothing at head."""
    # Imported here, since the API asks only whether it is at head.
    from alembic import command  # pylint: disable=import-outside-toplevel
    from alembic.config import Config  # pylint: disable=import-outside-toplevel

    if at_head(engine):
        return
    with sql.writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None before the first migration."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def at_head(engine: Engine) -> bool:
    """Whether the database has the newest schema."""
    with engine.connect() as connection:
        return current(connection) == HEAD
