"""What is past its time goes, in short transactions; what is still needed stays, and so does all that was decided."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, insert, select, update

from backend import clock, options
from backend.clock import DAY
from backend.options import Retention
from backend.settings import Settings
from backend.store import api_tokens, batches, counters, jobs, receipts, retention, sessions, sql
from backend.store.blobs import Blobs
from backend.store.documents import open_documents
from backend.store.jobs import LostClaim
from jobs import housekeeping, performance
from jobs.housekeeping import LOST_AFTER
from tests.conftest import World
from tests.integration import logged

DAY_ONE = date(2013, 3, 28)


def keep_house(settings: Settings, fence: Callable[[Any], None] = lambda _: None, **values: float) -> dict[str, Any]:
    options.write(open_documents(settings.documents), "retention", Retention(**values))
    return housekeeping.run(settings, {}, lambda *_: None, fence)


def count(engine: Engine, table: str = "predictions") -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(sql.metadata.tables[table])).scalar_one()


@pytest.fixture(name="answered")
def make_answered(world_copy: World) -> World:
    """The small world with logged answers about a day in March whose outcomes are final."""
    assert logged.fill(world_copy, DAY_ONE, DAY_ONE) > 200
    return world_copy


def move_clock(engine: Engine, days: int) -> None:
    with sql.writing(engine) as connection:
        connection.execute(update(sql.clock).values(at=sql.clock.c.at + days * DAY))


def test_answers_go_when_they_are_old_and_judged_and_the_figures_stay(answered: World) -> None:
    settings, engine = answered.settings, sql.open_engine(answered.settings.database_url)
    with sql.writing(engine) as connection:  # one about the past, asked today: its age is another
        columns = [column for column in sql.predictions.c if column.name != "id"]
        copied = connection.execute(select(*columns).limit(1)).mappings().one()
        asked_today = {"account": "a" * 36, "past": True, "asked_at": clock.wall()}
        connection.execute(insert(sql.predictions).values({**copied, **asked_today}))
    before = count(engine)
    move_clock(engine, 300)
    found = keep_house(settings, predictions_days=60)
    assert found["deleted"]["predictions"] == 0 and "judged" in found["kept"]
    performance.run(settings, {"at": "2013-04-01T00:00:00Z"}, lambda *_: None, lambda _: None)
    found = keep_house(settings, predictions_days=60)
    assert found["deleted"]["predictions"] == 0 and "judged up to 2013-03-28" in found["kept"]
    # From when the days after it are judged too, nothing looks at these answers again.
    with sql.writing(engine) as connection:
        said = sql.performance.c
        mine = (said.day == "2013-03-28", said.span == "day", said.slice == "all", said.lead_minutes == 120)
        assert connection.execute(update(sql.performance).where(*mine).values(day="2014-01-25")).rowcount == 1
    kept_for_ever = {name: count(engine, name) for name in ("events", "decisions", "deployments", "performance")}
    found = keep_house(settings, predictions_days=400)
    assert (found["deleted"]["predictions"], found["kept"]) == (0, None)
    found = keep_house(settings, predictions_days=60)
    assert (found["deleted"]["predictions"], found["kept"]) == (before - 1, None)
    assert count(engine) == 1
    assert {name: count(engine, name) for name in kept_for_ever} == kept_for_ever
    engine.dispose()


def test_what_has_ended_goes_and_what_lasts_stays(home: Settings, engine: Engine) -> None:
    now = clock.wall()
    for ends_at in (now + 100, now - 1):
        sessions.start(engine, "ui", "a" * 36, 1, ends_at - 50, 50)
        counters.Counters(engine, partial(int, ends_at - 50)).incr(f"{ends_at}", 50)
    with sql.writing(engine) as connection:
        for ends_at in (now - 29 * DAY, now - 31 * DAY):
            said = {"account": "a" * 36, "credentials_version": 1, "name": "x", "role": "viewer", "made_by": "anna"}
            api_tokens.make(connection, **said, created_at=ends_at - 9, expires_at=ends_at)
        for at in (now, now - DAY - 1):
            receipts.keep(connection, "a" * 36, f"key {at}", b"x" * 32, {}, at)
    for ended in (now - 3 * DAY, now - DAY):
        identity = jobs.enqueue(engine, "guard", {}, "operator", ended - 5)["id"]
        jobs.cancel(engine, identity, ended)
    waits = jobs.enqueue(engine, "guard", {}, "operator", now - 9 * DAY)["id"]
    found = keep_house(home, jobs_days=2)["deleted"]
    once = dict.fromkeys(("jobs", "sessions", "api_tokens", "counters", "receipts"), 1)
    assert found == once | {"predictions": 0, "files": 0}
    assert [count(engine, name) for name in once] == [2, 1, 1, 1, 1]
    assert jobs.get(engine, waits) is not None


def test_files_go_that_no_job_needs(home: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs, now = Blobs(home.blobs), clock.wall()
    ids = {}
    for name, ended in (("waits", None), ("cancelled", now), ("fresh", now - DAY), ("old", now - 3 * DAY)):
        ids[name] = str(jobs.enqueue(engine, batches.KIND, {"format": "csv"}, "analyst", now - 4 * DAY)["id"])
        state = {"waits": "queued", "cancelled": "cancelled"}.get(name, "done")
        with sql.writing(engine) as connection:
            mine = sql.jobs.c.id == ids[name]
            connection.execute(update(sql.jobs).where(mine).values(state=state, ended_at=ended))
    for name in (*ids.values(), "of nobody"):
        blobs.write(batches.upload(name), b"x")
    assert keep_house(home, results_days=2)["deleted"]["files"] == 0  # somebody may just be sending them
    monkeypatch.setattr(housekeeping, "LOST_AFTER", -60)
    assert keep_house(home, results_days=2)["deleted"]["files"] == 3
    assert set(blobs.below("batches")) == {batches.upload(ids[name]) for name in ("waits", "fresh")}
    assert not (Path(home.blobs) / "batches" / "of nobody").exists() and LOST_AFTER >= clock.HOUR


def fill_counters(engine: Engine, rows: int) -> None:
    values = [{"key": f"{number:064}", "hits": 1, "ends_at": 1} for number in range(rows)]
    with sql.writing(engine) as connection:
        connection.execute(insert(sql.counters), values)


def test_a_worker_that_lost_its_claim_deletes_nothing_more(
    home: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_counters(engine, 30)
    monkeypatch.setattr(retention, "ROWS", 10)

    def fence(connection: Connection) -> None:
        if connection.execute(select(func.count()).select_from(sql.counters)).scalar_one() == 10:
            raise LostClaim("it has gone to another worker")

    with pytest.raises(LostClaim):
        keep_house(home, fence)
    assert count(engine, "counters") == 10


@pytest.mark.sqlite("whose one write lock this is about")
def test_others_write_while_much_is_deleted_and_the_file_shrinks(home: Settings, engine: Engine) -> None:
    fill_counters(engine, 50_000)
    before = file_size(home)
    other, over, writes = sql.open_engine(home.database_url, patience_seconds=2), threading.Event(), [0]

    def write() -> None:
        while not over.is_set():
            with sql.writing(other) as connection:
                connection.execute(insert(sql.clock).values(name=f"{writes[0]}", at=0))
            writes[0] += 1
            time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    found = keep_house(home)
    over.set()
    writer.join(10)
    other.dispose()
    assert found["deleted"]["counters"] == 50_000
    assert writes[0] == count(engine, "clock") > 20
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA freelist_count").scalar_one() == 0
    assert before / 2 > file_size(home) >= before - found["freed_bytes"]


def file_size(home: Settings) -> int:
    """Of the database's file, with all in it that was written."""
    with closing(sqlite3.connect(home.home / "live.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return (home.home / "live.db").stat().st_size
