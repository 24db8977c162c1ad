"""The skew audit: answers given while facts came late, corrected and out of order are made anew, bit for bit."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from backend import clock
from backend.clock import HOUR, MINUTE
from backend.flights import features
from backend.flights.told import fields
from backend.store import events as log
from backend.store import ledger, predictions, sql
from jobs import audit
from tests import small_world
from tests.conftest import World
from tests.integration.served import Served

HOURS = (2, 5, 8, 11, 14, 17)


@pytest.fixture(name="served")
def make_served(world_copy: World, password_hash: str) -> Served:
    """Most of a day in which two feeders tell late and out of order, and correct a third of the departures, while a
    viewer asks about what is to come."""
    made = Served.over(world_copy, password_hash)
    feeders = [Served.over(world_copy, password_hash).by("feeder") for _ in range(2)]
    rng = np.random.default_rng(7)
    events = small_world.facts_after(world_copy.until, 1)
    told = [(event.known_at, fields(event)) for event in events]
    for event in events:
        if event.kind == "departed" and rng.random() < 1 / 3:
            corrected = fields(event._replace(at=event.at + 7 * MINUTE, delay_minutes=(event.delay_minutes or 0) + 7))
            told.append((event.known_at + 7 * MINUTE, corrected))
    comes = np.array([known_at for known_at, _ in told]) + rng.integers(0, 7 * HOUR, len(told)) * (
        rng.random(len(told)) < 0.5
    )
    for before, hours in zip((-100, *HOURS), HOURS, strict=False):
        now = world_copy.until + hours * HOUR
        tell(feeders[0], [], now)
        due = rng.permutation(np.flatnonzero((comes > world_copy.until + before * HOUR) & (comes <= now))).tolist()
        coming = made.listed(f"?until={clock.iso(now + 6 * HOUR)}&limit=500")
        with ThreadPoolExecutor(3) as crowd:
            telling = [
                crowd.submit(tell, feeder, [told[place][1] for place in due[number::2]], now)
                for number, feeder in enumerate(feeders)
            ]
            asking = [crowd.submit(made.predict, [{"id": each["id"]}]) for each in coming[:15]]
            assert all(done.result() for done in [*telling, *asking])
        made.predict([{"id": each["id"]} for each in coming[15:40]])
    return made


def tell(feeder: Served, events: list[dict[str, Any]], as_of: int) -> Any:
    body = {"as_of": clock.iso(as_of), "events": events}
    answer = feeder.client.post("/observations", json=body, headers=feeder.headers)
    assert answer.status_code == 200 and not answer.get_json()["refused"], answer.text
    return answer.get_json()


def look(served: Served, **params: Any) -> dict[str, Any]:
    return audit.run(served.world.settings, {"actor": "tests", **params}, lambda *_: None, lambda _: None)


def lines(served: Served) -> list[Any]:
    with served.engine.connect() as connection:
        return list(ledger.decisions(connection, "skew", 10))


def test_nothing_differs_though_facts_came_late_and_one_altered_value_is_found(served: Served) -> None:
    found = look(served)
    assert found["compared"] > 150 and (found["differ"], found["features"], found["skipped"]) == (0, {}, 0)
    assert 2 <= found["loaded"] <= found["compared"] / 3
    assert not lines(served)
    answers = sql.predictions.c
    with sql.writing(served.engine) as connection:
        identity, other, packed = connection.execute(
            select(answers.id, answers.id + 1, answers.features).order_by(answers.id).limit(1)
        ).one()
        row = predictions.unpack(packed)
        place = features.names().index("distance_miles")
        row[place] = np.nextafter(row[place], np.inf)
        altered = update(sql.predictions).where(answers.id == identity).values(features=predictions.pack(row))
        connection.execute(altered)
        connection.execute(update(sql.predictions).where(answers.id == other).values(feature_list="1"))
    again = look(served)
    assert (again["compared"], again["skipped"]) == (found["compared"] - 1, 1)
    assert (again["differ"], again["features"]) == (1, {"distance_miles": 1})
    look(served)
    (line,) = lines(served)
    assert line.evidence["answers"] == [identity] and "distance_miles" in line.summary
    # Once it is mended, the ledger says so.
    with sql.writing(served.engine) as connection:
        connection.execute(update(sql.predictions).where(answers.id == identity).values(features=packed))
    assert look(served)["differ"] == 0
    assert [line.evidence["differ"] for line in lines(served)] == [0, 1]


@pytest.mark.sqlite("what was seen does not depend on the database")
def test_answers_that_saw_less_than_they_say_are_found_and_the_same_sample_is_drawn_again(served: Served) -> None:
    answers = sql.predictions.c
    with sql.writing(served.engine) as connection:
        newest = log.newest_seq(connection)
        connection.execute(update(sql.predictions).where(answers.seq < newest).values(seq=newest))
    found = look(served)
    assert found["differ"] > 10 and len(found["features"]) > 5, "late facts do change features"
    drawn, again = (look(served, sample=20) for _ in range(2))
    assert drawn == again and drawn["compared"] == 20
