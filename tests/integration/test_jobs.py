"""The queue: who may write to a job, and until when."""

import multiprocessing
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, select, text, update
from sqlalchemy.exc import InternalError

from backend.store import jobs, sql
from backend.store.jobs import Claim, LostClaim

KINDS = ["count"]


def enqueue(engine: Engine, now: int = 1, **params: Any) -> str:
    return str(jobs.enqueue(engine, "count", params, "anna", now)["id"])


def claim(engine: Engine, lease_seconds: int = 30) -> Claim:
    found = jobs.claim(engine, KINDS, lease_seconds)
    assert found is not None
    return found


def state(engine: Engine, identity: str) -> dict[str, Any]:
    job = jobs.get(engine, identity)
    assert job is not None
    return job


def expire(engine: Engine, identity: str) -> None:
    """Its worker has said nothing for longer than its lease."""
    with sql.writing(engine) as connection:
        connection.execute(update(sql.jobs).where(sql.jobs.c.id == identity).values(lease_until=1))


def test_the_oldest_job_is_claimed_first_and_only_once(queue: Engine) -> None:
    second, first = enqueue(queue, now=2), enqueue(queue, now=1)
    assert [claim(queue).id, claim(queue).id] == [first, second]
    assert jobs.claim(queue, KINDS) is None


def test_a_kind_that_the_worker_does_not_know_is_left_for_others(queue: Engine) -> None:
    enqueue(queue)
    assert jobs.claim(queue, ["another"]) is None


def test_a_claim_shows_its_progress_and_its_result(queue: Engine) -> None:
    identity = enqueue(queue, until=3)
    mine = claim(queue)
    assert mine.params == {"until": 3} and mine.owner == "anna"
    mine.progress(0.4, "fitting")
    job = state(queue, identity)
    assert (job["state"], job["progress"], job["message"], job["attempts"]) == ("running", 0.4, "fitting", 1)
    mine.finish({"version": 2})
    job = state(queue, identity)
    assert (job["state"], job["progress"], job["result"], job["error"]) == ("done", 1.0, {"version": 2}, None)
    assert abs(job["ended_at"] - time.time()) < 5 and abs(job["started_at"] - time.time()) < 5


def test_a_failed_job_keeps_the_sentence_and_is_not_tried_again(queue: Engine) -> None:
    identity = enqueue(queue)
    claim(queue).fail("there are no flights before that day")
    assert state(queue, identity)["error"] == "there are no flights before that day"
    assert jobs.claim(queue, KINDS) is None


def test_after_the_lease_another_worker_has_the_job_and_the_first_can_write_nothing(queue: Engine) -> None:
    identity = enqueue(queue)
    frozen = claim(queue)
    expire(queue, identity)
    second = claim(queue)
    assert second.id == identity and second.fence > frozen.fence
    before = state(queue, identity)
    for write in (
        frozen.renew,
        frozen.release,
        lambda: frozen.progress(0.9, "nearly"),
        lambda: frozen.finish({}),
        lambda: frozen.fail("x"),
    ):
        with pytest.raises(LostClaim):
            write()
    assert state(queue, identity) == before
    second.finish({"by": "second"})
    assert state(queue, identity)["result"] == {"by": "second"}


def test_a_fence_undoes_the_jobs_own_transaction_once_the_claim_is_lost(queue: Engine) -> None:
    identity = enqueue(queue)
    frozen = claim(queue)

    def write(clock: int) -> None:
        with sql.writing(queue) as connection:
            connection.execute(sql.clock.insert().values(name=f"at {clock}", at=clock))
            frozen.check(connection)

    write(1)
    expire(queue, identity)
    claim(queue)
    with pytest.raises(LostClaim):
        write(2)
    with queue.connect() as connection:
        assert [row.name for row in connection.execute(sql.clock.select())] == ["at 1"]


def test_renewing_keeps_a_job_past_its_first_lease(queue: Engine) -> None:
    enqueue(queue)
    mine = claim(queue, lease_seconds=2)
    for _ in range(3):
        time.sleep(1)
        mine.renew()
        assert jobs.claim(queue, KINDS) is None


def test_a_job_whose_worker_was_lost_three_times_is_failed(queue: Engine) -> None:
    identity = enqueue(queue)
    for attempt in (1, 2, 3):
        claim(queue)
        assert state(queue, identity)["attempts"] == attempt
        expire(queue, identity)
    assert jobs.claim(queue, KINDS) is None
    job = state(queue, identity)
    assert job["state"] == "failed" and "3 times" in job["error"]


def test_a_released_job_waits_again_and_the_attempt_is_not_counted(queue: Engine) -> None:
    identity = enqueue(queue)
    first = claim(queue)
    first.release()
    job = state(queue, identity)
    assert (job["state"], job["attempts"], job["started_at"]) == ("queued", 0, None)
    with pytest.raises(LostClaim):
        first.renew()
    assert claim(queue).id == identity


def test_cancelling_a_running_job_refuses_its_workers_next_write(queue: Engine) -> None:
    identity = enqueue(queue)
    mine = claim(queue)
    cancelled = jobs.cancel(queue, identity, 7)
    assert cancelled is not None and (cancelled["state"], cancelled["ended_at"]) == ("cancelled", 7)
    with pytest.raises(LostClaim):
        mine.finish({})
    assert jobs.claim(queue, KINDS) is None


def test_cancelling_changes_no_job_that_has_ended(queue: Engine) -> None:
    identity = enqueue(queue)
    claim(queue).finish({})
    job = jobs.cancel(queue, identity, 7)
    assert job is not None and job["state"] == "done"
    assert jobs.cancel(queue, "nothing", 7) is None


def test_a_key_that_is_queued_or_running_queues_nothing_and_is_free_again_after(queue: Engine) -> None:
    def ask() -> str:
        return str(jobs.enqueue(queue, "count", {}, "anna", 1, dedupe_key="nightly")["id"])

    first = ask()
    assert ask() == first
    mine = claim(queue)
    assert ask() == first
    mine.finish({})
    assert ask() != first


def at_once(queue: Engine, work: Callable[[str, Any, Any], None], processes: int, answers: int) -> list[Any]:
    """What processes of their own that begin `work(url, barrier, answers)` at one moment put into `answers`."""
    spawn = multiprocessing.get_context("spawn")
    barrier, given = spawn.Barrier(processes), spawn.Queue()
    url = queue.url.render_as_string(hide_password=False)
    started = [spawn.Process(target=work, args=(url, barrier, given)) for _ in range(processes)]
    for process in started:
        process.start()
    said = [given.get(timeout=60) for _ in range(answers)]
    for process in started:
        process.join(60)
    return said


def _ask(url: str, start: Any, answers: Any) -> None:
    engine = sql.open_engine(url)
    start.wait()
    for number in range(10):
        answers.put((number, jobs.enqueue(engine, "count", {}, "anna", 1, dedupe_key=f"key {number}")["id"]))


def test_processes_that_ask_for_the_same_at_once_get_one_job(queue: Engine) -> None:
    assert len(set(at_once(queue, _ask, processes=4, answers=40))) == 10


def _take(url: str, start: Any, answers: Any) -> None:
    engine = sql.open_engine(url)
    start.wait()
    while (found := jobs.claim(engine, KINDS)) is not None:
        found.finish({})
        answers.put(found.id)
    answers.put(None)


def test_workers_that_claim_at_once_never_get_the_same_job(queue: Engine) -> None:
    made = {enqueue(queue, now=number) for number in range(40)}
    taken = at_once(queue, _take, processes=3, answers=40 + 3)
    assert sorted(name for name in taken if name) == sorted(made)


def test_the_databases_clock_is_the_wall_clock_in_whole_seconds(queue: Engine) -> None:
    with queue.connect() as connection:
        assert abs(jobs.database_now(connection) - time.time()) < 5


@pytest.mark.postgresql("since SQLite's one writer would hold everything")
def test_a_transaction_in_which_a_worker_froze_does_not_keep_its_job_for_ever(
    queue: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_LET_GO", text("SET LOCAL idle_in_transaction_session_timeout = '300ms'"))
    identity = enqueue(queue)
    frozen = claim(queue, lease_seconds=1)
    with pytest.raises(InternalError), sql.writing(queue) as connection:
        frozen.check(connection)
        time.sleep(2.5)
        second = claim(queue)
        connection.execute(select(1))
    assert (second.id, second.fence) == (identity, frozen.fence + 1)
