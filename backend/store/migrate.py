"""Brings a database to the newest schema with Alembic; processes that start at the same moment wait for each other."""

import time
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from backend.store import sql

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0010"  # the newest revision, so that asking for it needs no Alembic (a test compares)
ADVISORY_LOCK = 7_285_224  # any number that nothing else on the same PostgreSQL server locks


CHECKED_SECONDS = 2.0


class NewerSchemaError(ValueError):
    """The database belongs to a newer program."""


def upgrade(engine: Engine) -> None:
    """Runs every missing migration in one transaction, under the database's one write lock. Does nothing at head.

    Raises NewerSchemaError.
    """
    # Imported here, since the API asks only whether it is at head.
    from alembic import command  # pylint: disable=import-outside-toplevel
    from alembic.config import Config  # pylint: disable=import-outside-toplevel

    with engine.connect() as connection:
        found = current(connection)
    if found == HEAD:
        return
    if _is_newer(found):
        raise NewerSchemaError(_in_words(found))
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
    return fault(engine) is None


def fault(engine: Engine) -> str | None:
    """Why this program cannot use the database's tables: a sentence with both versions; None where it can."""
    with engine.connect() as connection:
        found = current(connection)
    return None if found == HEAD else _in_words(found)


def _is_newer(found: str | None) -> bool:
    return found is not None and found > HEAD  # they are numbers of four digits


def _in_words(found: str | None) -> str:
    if found is None:
        return (
            f"The database has no tables yet, and this program needs version {HEAD}: run `python -m jobs.ingest`, "
            "or `make up`."
        )
    if _is_newer(found):
        return (
            f"The database's tables are of version {found}, which is newer than this program's, {HEAD}: "
            "start the program that made them."
        )
    return (
        f"The database's tables are of version {found}, and this program needs {HEAD}: start `make up` or "
        "`python -m jobs.worker`, which brings them up to date."
    )


class Watch:
    """Looks from time to time whether the database's tables are still this program's. For all threads of a process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._looked: float | None = None
        self._fault: str | None = None

    def fault(self) -> str | None:
        """The same as `fault`, as it was some seconds ago; None too where the database does not answer, which whoever
        needs it will see."""
        now = time.monotonic()
        if self._looked is None or now - self._looked >= CHECKED_SECONDS or self._fault is not None:
            try:
                self._fault = fault(self._engine)
            except DBAPIError:
                return None
            self._looked = now
        return self._fault
