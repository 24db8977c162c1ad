"""Work that is due at a time of the data clock: once each, and the clock of a replay waits for it."""

from typing import Any

import pytest

from backend import clock, options
from backend.clock import HOUR
from backend.options import Retraining, Schedules
from backend.store import events as log
from backend.store import jobs, slots, sql
from backend.store.documents import open_documents
from jobs import scheduler
from tests.conftest import World
from tests.integration.served import Served

EVERY = Schedules(
    time_zone="UTC", performance="0 10 * * *", audit="", guard="", retraining="0 10 * * *", housekeeping=""
)


@pytest.fixture(name="served")
def make_served(world_copy: World, password_hash: str) -> Served:
    """The API over the small world, whose clock stands at four in the morning, with two duties at ten."""
    documents = open_documents(world_copy.settings.documents)
    options.write(documents, "schedules", EVERY)
    options.write(documents, "retraining", Retraining(cooldown_days=0))
    made = Served.over(world_copy, password_hash).by("feeder")
    scheduler.look(made.engine, documents)
    return made


def tell(served: Served, hours: float) -> Any:
    """The answer to a feeder that says that nothing more happened until so many hours after four."""
    as_of = clock.iso(served.world.until + int(hours * HOUR))
    return served.client.post("/observations", json={"as_of": as_of, "events": []}, headers=served.headers)


def ended(served: Served, kind: str) -> None:
    """A worker does the one job of that kind that waits."""
    claim = jobs.claim(served.engine, [kind])
    assert claim is not None
    claim.finish({})


def states(served: Served) -> dict[str, tuple[str, str | None]]:
    """Of each schedule: what became of its last run, and when the next is due."""
    answer = served.by("viewer").get("/schedules").get_json()["items"]
    return {each["name"]: (each["last"]["state"] if each["last"] else "none", each["next"]) for each in answer}


def test_the_clock_goes_to_what_is_due_and_not_past_it_until_it_is_done(served: Served) -> None:
    receipt = tell(served, 3).get_json()
    assert receipt["next_due"] == "2013-04-01T10:00:00Z"
    too_far = tell(served, 7)
    assert too_far.status_code == 409, too_far.text
    assert too_far.get_json()["errors"][0]["accepted"] == "2013-04-01T10:00:00Z"
    assert tell(served, 6).status_code == 200
    # Whoever wants to pass ten o'clock has said all of it: what is due is queued now, one after the other.
    assert "performance" in tell(served, 7).get_json()["detail"]
    assert jobs.claim(served.engine, ["training"]) is None
    ended(served, "performance")
    assert tell(served, 7).status_code == 409
    ended(served, "training")
    assert tell(served, 7).status_code == 200
    assert states(served)["performance"] == ("done", "2013-04-02T10:00:00Z")
    assert states(served)["retraining"] == ("done", "2013-04-02T10:00:00Z")
    assert states(served)["guard"] == ("none", None)


def test_work_that_failed_lets_the_clock_go_on_and_the_ledger_says_so(served: Served) -> None:
    tell(served, 6)
    tell(served, 7)
    claim = jobs.claim(served.engine, ["performance"])
    assert claim is not None
    claim.fail("there was nothing to do it with")
    tell(served, 7)
    ended(served, "training")
    assert tell(served, 7).status_code == 200
    said = [each["summary"] for each in served.by("viewer").get("/decisions").get_json()["items"]]
    assert any("performance of 2013-04-01T10:00:00Z was not done" in each for each in said)


def test_one_cause_after_another_starts_one_training_and_a_person_may_always(served: Served) -> None:
    documents = open_documents(served.world.settings.documents)
    options.write(documents, "retraining", Retraining(cooldown_days=7))
    options.write(documents, "schedules", EVERY.model_copy(update={"performance": ""}))
    scheduler.look(served.engine, documents)
    tell(served, 6)
    assert tell(served, 7).status_code == 200, "the first champion was trained today, so the schedule is declined"
    assert states(served)["retraining"][0] == "declined"
    asked = served.by("operator")
    answer = served.client.post("/training", json={}, headers=asked.headers)
    assert answer.status_code == 202
    # The clock waits for what a person asked for too, so that the same replay comes to the same champion.
    assert tell(served, 8).status_code == 409
    ended(served, "training")
    assert tell(served, 8).status_code == 200
    causes = [
        row["evidence"]["cause"] for row in served.by("viewer").get("/decisions?kind=requested").get_json()["items"]
    ]
    assert causes == ["button", "schedule"]


def test_two_schedulers_and_two_looks_plan_each_time_once(served: Served) -> None:
    documents = open_documents(served.world.settings.documents)
    with served.engine.connect() as connection:
        before = slots.unfinished(connection)
    for _ in range(2):
        scheduler.look(sql.open_engine(served.world.settings.database_url), documents)
    with served.engine.connect() as connection:
        assert slots.unfinished(connection) == before
    assert [each.slot for each in before if each.name == "performance"] == sorted({each.slot for each in before})


def test_a_schedule_that_is_changed_is_planned_anew_from_the_clock_on(served: Served) -> None:
    documents = open_documents(served.world.settings.documents)
    options.write(documents, "schedules", EVERY.model_copy(update={"performance": "30 6 * * *", "retraining": ""}))
    scheduler.look(served.engine, documents)
    assert states(served)["performance"] == ("none", "2013-04-01T06:30:00Z")
    assert states(served)["retraining"] == ("none", None)
    assert tell(served, 3).status_code == 409


@pytest.mark.sqlite("a live clock is looked at, whatever the database")
def test_in_live_mode_missed_runs_are_made_up_for_once(served: Served) -> None:
    documents = open_documents(served.world.settings.documents)
    with sql.writing(served.engine) as connection:
        log.enter(connection, "live")
    scheduler.look(served.engine, documents)
    claim = jobs.claim(served.engine, ["performance", "training"])
    assert claim is not None and claim.kind == "performance"
    claim.finish({})
    with served.engine.connect() as connection:
        newest = slots.newest(connection)
    assert clock.wall() - newest["performance"].slot <= clock.DAY
    said = [each["summary"] for each in served.by("viewer").get("/decisions?kind=missed").get_json()["items"]]
    assert any("runs of performance were missed" in each for each in said)


@pytest.mark.sqlite("bounds are no database's")
@pytest.mark.parametrize(
    "line", ["0 4 * *", "61 4 * * *", "0 24 * * *", "0 4 31-1 * *", "0 4 * * 1", "0 4 * * fri-mon", "@daily"]
)
def test_a_cron_line_that_is_none_is_refused_in_words(api: Any, line: str) -> None:
    answer = api.client().put("/settings/schedules", json={"performance": line}, headers=api.bearer("admin"))
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == "/performance"
