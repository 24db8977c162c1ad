"""The migrations make exactly the tables of the code, once, however many processes start together."""

import multiprocessing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from backend.store import migrate, sql


def test_the_migrations_make_the_tables_of_the_code(queue: Engine) -> None:
    with queue.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), sql.metadata) == []


def test_a_table_that_no_migration_makes_would_be_noticed(engine: Engine) -> None:
    with sql.writing(engine) as connection:
        connection.execute(text("DROP TABLE sessions"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), sql.metadata) != []


def test_the_revision_that_the_code_expects_is_the_newest() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_an_empty_database_is_not_at_head(tmp_path: Path) -> None:
    engine = sql.open_engine(f"sqlite:///{tmp_path}/new.db")
    assert not migrate.at_head(engine)
    migrate.upgrade(engine)
    assert migrate.at_head(engine)


def _upgrade(url: str, start: object) -> None:
    start.wait()  # type: ignore[attr-defined]
    migrate.upgrade(sql.open_engine(url))


@pytest.mark.parametrize("attempt", range(3))
def test_processes_that_start_together_all_find_the_schema_made(tmp_path: Path, attempt: int) -> None:
    url = f"sqlite:///{tmp_path}/new{attempt}.db"
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(4)
    processes = [spawn.Process(target=_upgrade, args=(url, start)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    engine = sql.open_engine(url)
    assert migrate.at_head(engine)
    assert set(sql.metadata.tables) <= set(inspect(engine).get_table_names())
