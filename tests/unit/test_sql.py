"""Connections to an SQLite file, of which one writes."""

from pathlib import Path

from sqlalchemy import text

from backend.store import migrate, sql


def test_who_connects_to_read_does_not_wait_for_who_writes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/live.db"
    migrate.upgrade(sql.open_engine(url))
    with sql.writing(sql.open_engine(url)) as writer:
        writer.execute(text("INSERT INTO clock VALUES ('data', 1)"))
        with sql.open_engine(url, patience_seconds=0).connect() as reader:
            assert reader.scalar(text("SELECT COUNT(*) FROM clock")) == 0


def test_a_new_file_is_laid_out_so_that_it_can_shrink(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/live.db"
    migrate.upgrade(sql.open_engine(url))
    with sql.open_engine(url).connect() as connection:
        assert connection.scalar(text("PRAGMA auto_vacuum")) == 2
