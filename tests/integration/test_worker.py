"""The worker as a process of its own: it works, freezes, is stopped and killed, and no job is done twice."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from backend.settings import Settings
from backend.store import jobs
from jobs.launch import parts

LEASE_SECONDS = 2
PROGRAM = f"""
from jobs import worker
worker.main([], {{"count": "tests.integration.counting_job", "absent": "jobs.no_such_module"}}, {LEASE_SECONDS})
"""
Worker = subprocess.Popen[bytes]


@pytest.fixture(name="start_worker")
def make_start_worker(home: Settings, tmp_path: Path) -> Iterator[Callable[[str], Worker]]:
    """Starts workers over `home`, each with a log of its own; none outlives the test."""
    workers: list[Worker] = []

    def start(name: str = "worker") -> Worker:
        environment = os.environ | parts.environment(home) | {"LOG_FOLDER": ""}  # it logs to standard error
        with (tmp_path / f"{name}.log").open("ab") as log:
            worker = subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stderr=log)
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.kill()
        worker.wait(10)


def enqueue(engine: Engine, **params: Any) -> str:
    return str(jobs.enqueue(engine, "count", params, "anna", 1)["id"])


def wait_for(engine: Engine, identity: str, reached: Callable[[dict[str, Any]], bool], seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        job = jobs.get(engine, identity)
        assert job is not None
        if reached(job):
            return job
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {job}")


def ended(job: dict[str, Any]) -> bool:
    return job["state"] in ("done", "failed", "cancelled")


def written(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def wait_for_lines(file: Path, count: int) -> None:
    end = time.monotonic() + 30
    while len(written(file)) < count:
        assert time.monotonic() < end, "the job writes nothing"
        time.sleep(0.02)


def test_a_job_is_run_and_shows_its_progress_on_the_way(
    engine: Engine, start_worker: Callable[..., Worker], tmp_path: Path
) -> None:
    identity = enqueue(engine, until=15, file=str(tmp_path / "numbers"), name="a")
    start_worker()
    half = wait_for(engine, identity, lambda job: 0 < job["progress"] < 1)
    assert half["state"] == "running" and half["message"].startswith("at ")
    job = wait_for(engine, identity, ended)
    assert (job["state"], job["progress"], job["result"]) == ("done", 1.0, {"counted": 15})
    assert len(written(tmp_path / "numbers")) == 15


def test_what_a_job_dies_of_is_in_its_error_and_the_stack_in_the_log(
    engine: Engine, start_worker: Callable[..., Worker], tmp_path: Path
) -> None:
    said = enqueue(engine, fail="there are no flights before that day")
    crashed = enqueue(engine, crash="wing")
    left = enqueue(engine, exit=True)
    absent = str(jobs.enqueue(engine, "absent", {}, "anna", 1)["id"])
    start_worker()
    assert wait_for(engine, said, ended)["error"] == "there are no flights before that day"
    assert wait_for(engine, crashed, ended)["error"] == "KeyError: 'wing'"
    assert wait_for(engine, left, ended)["state"] == "failed"
    assert "no_such_module" in wait_for(engine, absent, ended)["error"]
    assert "Traceback" in (tmp_path / "worker.log").read_text(encoding="utf-8")


def freeze(worker: Worker, home: Settings) -> None:
    """Stops a worker at a moment when it does not hold SQLite's one write lock, for which others would wait."""
    for _ in range(50):
        worker.send_signal(signal.SIGSTOP)
        try:
            with closing(sqlite3.connect(home.home / "live.db", timeout=0.3, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError:
            worker.send_signal(signal.SIGCONT)
            time.sleep(0.03)
    raise AssertionError("the worker always holds the write lock")


@pytest.mark.sqlite("which freezes at a moment when nobody waits for its one write lock")
def test_a_frozen_worker_that_wakes_changes_nothing_any_more(
    home: Settings, engine: Engine, start_worker: Callable[..., Worker], tmp_path: Path
) -> None:
    file = tmp_path / "numbers"
    identity = enqueue(engine, until=40, file=str(file), name="count")
    frozen = start_worker("frozen")
    wait_for_lines(file, 3)
    freeze(frozen, home)
    try:
        before = written(file)
        start_worker("second")
        wait_for(engine, identity, lambda job: job["attempts"] == 2)
        wait_for_lines(file, len(before) + 3)
    finally:
        frozen.send_signal(signal.SIGCONT)
    job = wait_for(engine, identity, ended)
    assert (job["state"], job["attempts"], job["result"]) == ("done", 2, {"counted": 40})
    after = written(file)[len(before) :]
    assert after == [f"count {number}" for number in range(40)]  # the second's count, whole, and nothing between
    time.sleep(1)
    assert jobs.get(engine, identity) == job
    assert frozen.poll() is None, "the worker that had frozen goes on with other jobs"
    assert "stopped: job" in (tmp_path / "frozen.log").read_text(encoding="utf-8")


def test_a_job_longer_than_the_lease_stays_with_its_worker(
    engine: Engine, start_worker: Callable[..., Worker], tmp_path: Path
) -> None:
    file = tmp_path / "numbers"
    identity = enqueue(engine, until=50, file=str(file), name="count")
    start_worker("first")
    wait_for_lines(file, 1)
    start_worker("second")
    job = wait_for(engine, identity, ended)
    assert (job["state"], job["attempts"]) == ("done", 1)
    assert Counter(written(file)) == Counter(f"count {number}" for number in range(50))


def test_a_killed_workers_job_is_done_by_the_next(
    engine: Engine, start_worker: Callable[..., Worker], tmp_path: Path
) -> None:
    identity = enqueue(engine, until=10, file=str(tmp_path / "numbers"), name="a")
    first = start_worker("first")
    wait_for_lines(tmp_path / "numbers", 2)
    first.kill()
    start_worker("second")
    job = wait_for(engine, identity, ended)
    assert (job["state"], job["attempts"]) == ("done", 2)


def test_cancelling_stops_a_running_job_and_the_worker_takes_the_next(
    engine: Engine, start_worker: Callable[..., Worker], tmp_path: Path
) -> None:
    file = tmp_path / "numbers"
    identity = enqueue(engine, until=600, file=str(file), name="long")
    start_worker()
    wait_for_lines(file, 2)
    jobs.cancel(engine, identity, 5)
    second = enqueue(engine, until=1, file=str(tmp_path / "second"), name="short")
    assert wait_for(engine, second, ended, seconds=10)["state"] == "done"
    assert jobs.get(engine, identity)["state"] == "cancelled"  # type: ignore[index]
    assert len(written(file)) < 60


def test_a_worker_says_when_it_waits_and_nothing_else_and_sigterm_ends_it_at_once(
    start_worker: Callable[..., Worker], tmp_path: Path
) -> None:
    worker = start_worker()
    wait_for_lines(tmp_path / "worker.log", 1)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(3) == 0
    (said,) = written(tmp_path / "worker.log")
    line = json.loads(said)
    assert (line["level"], line["logger"], line["part"]) == ("INFO", "jobs.worker", "worker")
    assert line["message"] == "waiting for jobs: count, absent"


@pytest.mark.parametrize(("until", "state", "attempts"), [(6, "done", 1), (600, "queued", 0)])
def test_sigterm_lets_a_short_job_end_and_gives_a_long_one_back_without_counting_the_attempt(
    engine: Engine, start_worker: Callable[..., Worker], tmp_path: Path, until: int, state: str, attempts: int
) -> None:
    identity = enqueue(engine, until=until, file=str(tmp_path / "numbers"), name="a")
    worker = start_worker()
    wait_for_lines(tmp_path / "numbers", 1)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0
    job = jobs.get(engine, identity)
    assert job is not None and (job["state"], job["attempts"]) == (state, attempts)


def test_help_says_what_the_worker_does() -> None:
    answer = subprocess.run([sys.executable, "-m", "jobs.worker", "--help"], capture_output=True, text=True, check=True)
    assert "Runs what is queued" in answer.stdout
