"""Workers that score files as processes of their own: they freeze, are killed, lose jobs, and one file comes of it."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError

from backend import clock
from backend.settings import Settings
from backend.store import batches, jobs, sql
from backend.store.blobs import Blobs
from jobs.launch import parts
from tests.conftest import World

LEASE_SECONDS = 2
PROGRAM = f"""
from jobs import worker
worker.main([], {{"batch": "tests.integration.slow_batch"}}, {LEASE_SECONDS})
"""
ROWS = 240
Worker = subprocess.Popen[bytes]
StartWorker = Callable[[str], Worker]


@pytest.fixture(name="engine")
def make_engine(world_copy: World) -> Iterator[Engine]:
    """An engine for the world's database."""
    engine = sql.open_engine(world_copy.settings.database_url)
    yield engine
    engine.dispose()


@pytest.fixture(name="blobs")
def make_blobs(world_copy: World) -> Blobs:
    """The world's blob store."""
    return Blobs(world_copy.settings.blobs)


@pytest.fixture(name="start_worker")
def make_start_worker(world_copy: World, tmp_path: Path) -> Iterator[StartWorker]:
    """Starts workers over the world, each with a log of its own; none outlives the test."""
    workers: list[Worker] = []

    def start(name: str) -> Worker:
        environment = os.environ | parts.environment(world_copy.settings)
        with (tmp_path / f"{name}.log").open("ab") as log:
            workers.append(subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stderr=log))
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()
        worker.wait(10)


@pytest.fixture(name="job")
def make_job(world_copy: World, engine: Engine, blobs: Blobs) -> str:
    """A file of ROWS flights that waits."""
    table = sql.flights.c
    with engine.connect() as connection:
        coming = select(table.id).where(table.scheduled_departure > world_copy.until + clock.HOUR).limit(50)
        ids = list(connection.scalars(coming))
    rows = [f"{ids[number % len(ids)]},row {number}\n" for number in range(ROWS)]
    params = {"format": "csv", "as_of": clock.iso(world_copy.until)}
    identity = str(jobs.enqueue(engine, batches.KIND, params, "analyst", 1)["id"])
    blobs.write(batches.upload(identity), "".join(["id,note\n", *rows]).encode())
    return identity


def wait_for(engine: Engine, identity: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        job = jobs.get(engine, identity)
        assert job is not None
        if reached(job):
            return job
        time.sleep(0.05)
    raise AssertionError(f"still {job}")


def in_the_middle(job: dict[str, Any]) -> bool:
    return bool(job["state"] == "running" and "rows done" in job["message"] and job["progress"] < 0.9)


def ended(job: dict[str, Any]) -> bool:
    return job["state"] in ("done", "failed", "cancelled")


def freeze(worker: Worker, home: Settings, engine: Engine) -> None:
    """Stops a worker at a moment when it holds no lock for which others would wait."""
    for _ in range(100):
        worker.send_signal(signal.SIGSTOP)
        try:
            if engine.dialect.name == "sqlite":
                with closing(sqlite3.connect(home.home / "live.db", timeout=0.3, isolation_level=None)) as connection:
                    connection.execute("BEGIN IMMEDIATE")
            else:
                with engine.connect() as connection:
                    connection.execute(select(sql.jobs).with_for_update(nowait=True))
            return
        except (sqlite3.OperationalError, OperationalError):
            worker.send_signal(signal.SIGCONT)
            time.sleep(0.03)
    raise AssertionError("the worker always holds a lock")


def check_result(blobs: Blobs, job: dict[str, Any]) -> None:
    """The job is done, and its one file holds every row once."""
    assert job["state"] == "done", job["error"]
    assert (job["result"]["rows"], job["result"]["scored"]) == (ROWS, ROWS)
    name = batches.result_of(job)
    wait_for_files(blobs, 1)
    assert name is not None and set(blobs.below("batches")) == {name}
    lines = blobs.read(name).decode().splitlines()[1:]
    assert [line.split(",")[1] for line in lines] == [f"row {number}" for number in range(ROWS)]
    assert len(blobs.read(name)) == job["result"]["bytes"]


def test_a_frozen_worker_that_wakes_changes_neither_the_job_nor_its_files(
    world_copy: World, engine: Engine, blobs: Blobs, job: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    frozen = start_worker("frozen")
    wait_for(engine, job, in_the_middle)
    freeze(frozen, world_copy.settings, engine)
    try:
        start_worker("second")
        wait_for(engine, job, lambda row: row["attempts"] == 2 and in_the_middle(row))
    finally:
        frozen.send_signal(signal.SIGCONT)
    done = wait_for(engine, job, ended)
    assert (done["attempts"], done["fence"]) == (2, 2)
    wait_for_log(tmp_path / "frozen.log", "stopped: job")
    check_result(blobs, done)
    assert jobs.get(engine, job) == done and frozen.poll() is None


@pytest.mark.sqlite("which is enough, since the test before is about both")
def test_one_that_wakes_when_all_is_done_takes_nothing_back(
    world_copy: World, engine: Engine, blobs: Blobs, job: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    frozen = start_worker("frozen")
    wait_for(engine, job, in_the_middle)
    freeze(frozen, world_copy.settings, engine)
    try:
        start_worker("second")
        done = wait_for(engine, job, ended)
    finally:
        frozen.send_signal(signal.SIGCONT)
    wait_for_log(tmp_path / "frozen.log", "stopped: job")
    check_result(blobs, done)
    assert jobs.get(engine, job) == done


def test_a_killed_workers_file_is_scored_by_the_next(
    engine: Engine, blobs: Blobs, job: str, start_worker: StartWorker
) -> None:
    first = start_worker("first")
    wait_for(engine, job, in_the_middle)
    first.kill()
    start_worker("second")
    done = wait_for(engine, job, ended)
    assert done["attempts"] == 2
    check_result(blobs, done)


def test_cancelling_in_the_middle_leaves_no_file(
    engine: Engine, blobs: Blobs, job: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    start_worker("worker")
    wait_for(engine, job, in_the_middle)
    jobs.cancel(engine, job, 5)
    batches.forget(blobs, job)  # as DELETE /jobs/{id} does
    wait_for_log(tmp_path / "worker.log", "stopped: job")
    wait_for_files(blobs, 0)
    assert wait_for(engine, job, ended)["state"] == "cancelled"


@pytest.mark.sqlite("which is enough, since the queue's own tests are about both")
def test_a_worker_that_is_stopped_gives_the_file_back_and_the_next_leaves_one_result(
    engine: Engine, blobs: Blobs, job: str, start_worker: StartWorker
) -> None:
    first = start_worker("first")
    wait_for(engine, job, in_the_middle)
    first.send_signal(signal.SIGTERM)
    assert first.wait(20) == 0
    if (row := jobs.get(engine, job)) is not None and not ended(row):  # it may just have ended in time
        assert (row["state"], row["attempts"]) == ("queued", 0)
    start_worker("second")
    done = wait_for(engine, job, ended)
    check_result(blobs, done)


def wait_for_files(blobs: Blobs, count: int) -> None:
    """A job is done a moment before its worker has deleted what was sent."""
    end = time.monotonic() + 20
    while len(found := blobs.below("batches")) != count:
        assert time.monotonic() < end, f"there are {list(found)}"
        time.sleep(0.05)


def wait_for_log(log: Path, words: str) -> None:
    end = time.monotonic() + 20
    while words not in log.read_text(encoding="utf-8"):
        assert time.monotonic() < end, log.read_text(encoding="utf-8")
        time.sleep(0.05)
