"""What feeders tell: in any order, more than once, with faults in it, and how far they may move the clock."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import numpy as np
import pytest

from backend import clock
from backend.flights.events import Event
from backend.flights.sources import nycflights13
from backend.store import events as log
from backend.store import sql
from jobs import ingest
from tests.conftest import World
from tests.integration.served import Served

DAY = clock.DAY


@pytest.fixture(name="own")
def make_own(world_copy: World, password_hash: str) -> Served:
    """A process over a world of its own, asked by a feeder."""
    return Served.over(world_copy, password_hash).by("feeder")


def tell(served: Served, events: list[dict[str, Any]], as_of: int, expected: int = 200) -> Any:
    body = {"as_of": clock.iso(as_of), "events": events}
    answer = served.client.post("/observations", json=body, headers=served.headers)
    assert answer.status_code == expected, answer.text
    return answer.get_json()


def said(event: Event) -> dict[str, Any]:
    """An event as a feeder sends it."""
    details = json.loads(event.details or "{}")
    if event.kind == "weather":
        station = event.subject.rpartition(".")[2]
        values = {name: value for name, value in details.items() if value is not None}
        return {"kind": "weather", "station": station, "hour": clock.iso(event.at), **values}
    fields = {"kind": event.kind, "flight": event.subject}
    planned = clock.iso(event.at - (event.delay_minutes or 0) * 60)
    if event.kind == "scheduled":
        arrival = clock.iso(details["arrival"])
        return fields | {"scheduled_departure": planned, "scheduled_arrival": arrival, "dest": details["dest"]}
    if event.kind == "diverted":
        return fields | {"scheduled_arrival": planned}
    if event.kind == "cancelled":
        return fields | {"scheduled_departure": planned}
    which = "scheduled_arrival" if event.kind == "arrived" else "scheduled_departure"
    return fields | {"at": clock.iso(event.at), which: planned, **details}


def day_of_facts(until: int) -> list[Event]:
    """What became known in the two days after the small world ends, about flights whose number is divisible by four."""
    frame = nycflights13.flights_until(date(2013, 4, 6))
    days = frame["month"] * 100 + frame["day"]
    thinned = frame[(days >= 401) & (frame["flight"] % 4 == 0)]
    readings = [nycflights13.read(thinned), nycflights13.read_weather()]
    events = [event for reading in readings for event in reading.events]
    return [event for event in events if until < event.known_at <= until + 2 * DAY]


def projections(served: Served) -> dict[str, list[tuple[Any, ...]]]:
    """Flights and weather as they stand, without the numbers of the rows of the log."""
    with served.engine.connect() as connection:
        return {
            table.name: sorted(
                tuple(value for name, value in row.items() if name != "last_seq")
                for row in connection.execute(table.select()).mappings()
            )
            for table in (sql.flights, sql.weather)
        }


def batches(events: list[dict[str, Any]], size: int = 400) -> list[list[dict[str, Any]]]:
    return [events[start : start + size] for start in range(0, len(events), size)]


def test_told_twice_shuffled_by_two_feeders_at_once_it_is_what_it_is_told_once_in_order(
    own: Served, world: World, facts: Any, password_hash: str, tmp_path: Any
) -> None:
    until = world.until
    events = day_of_facts(until)
    assert {event.kind for event in events} >= {"scheduled", "departed", "arrived", "cancelled", "weather"}
    once = Served.over(World(facts.installed(tmp_path / "once"), until), password_hash)
    with sql.writing(once.engine) as connection:
        log.append(connection, events)
    tell(own, [], until + DAY)
    tell(own, [], until + 2 * DAY)

    def feed(seed: int) -> list[Any]:
        feeder = own.by("feeder")
        order = np.random.default_rng(seed).permutation(len(events)).tolist()
        return [tell(feeder, part, until + 2 * DAY) for part in batches([said(events[place]) for place in order])]

    with ThreadPoolExecutor(2) as feeders:
        receipts = [receipt for told in feeders.map(feed, [1, 2]) for receipt in told]
    assert not [receipt["refused"] for receipt in receipts if receipt["refused"]]
    assert sum(receipt["stored"] for receipt in receipts) == len(events)
    assert sum(receipt["repeated"] for receipt in receipts) == len(events)
    assert projections(own) == projections(once)


def test_the_next_prediction_uses_what_was_told(own: Served, world: World) -> None:
    coming = own.by("viewer").coming()
    before = own.predict([{"id": coming[0]["id"]}])[0]
    events = [said(event) for event in day_of_facts(world.until) if event.known_at <= world.until + 3600]
    receipt = tell(own, events, world.until + 3600)
    assert receipt["as_of"] == clock.iso(world.until + 3600)
    after = own.predict([{"id": coming[0]["id"]}])[0]
    assert after["seq"] == receipt["seq"] > before["seq"] and after["as_of"] == receipt["as_of"]


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"kind": "landed"}, "kind", "is none of scheduled"),
    ({}, "kind", "is missing"),
    ({"flight": "UA1545"}, "flight", "no flight id"),
    ({"flight": "2013-02-30.UA.1545.EWR"}, "flight", "does not exist"),
    ({"flight": "2013-04-01.UA.1545.QQQ"}, "flight", "not a known airport"),
    ({"scheduled_departure": "2013-04-02T09:15:00Z"}, "scheduled_departure", "is not on 2013-04-01"),
    ({"scheduled_departure": "2013-04-01 09:15"}, "scheduled_departure", "with its zone"),
    ({"scheduled_departure": 1364807700}, "scheduled_departure", "is no text"),
    ({"at": "2013-04-09T09:15:00Z"}, "at", "3 days after"),
    ({"at": "2013-04-01T09:15:00Z"}, "kind", "after as_of"),
    ({"aircraft": "N1'; --"}, "aircraft", "no registration"),
    ({"known_at": "2013-04-01T00:00:00Z"}, "known_at", "is no field"),
]


@pytest.mark.parametrize(("wrong", "field", "reason"), WRONG, ids=lambda value: str(value)[:40])
def test_an_event_that_is_wrong_is_named_and_the_others_are_stored(
    own: Served, world: World, wrong: dict[str, Any], field: str, reason: str
) -> None:
    good = {"kind": "departed", "flight": "2013-04-01.UA.1545.EWR", "scheduled_departure": "2013-04-01T04:30:00Z"}
    good |= {"at": "2013-04-01T04:40:00Z", "aircraft": "N12345"}
    bad = good | wrong if wrong else {}
    receipt = tell(own, [bad, good], world.until + 3600)
    assert receipt["stored"] == 1
    (refused,) = receipt["refused"]
    assert refused["pointer"] == f"/events/0/{field}" and reason in refused["reason"]


@pytest.mark.parametrize("value", [float(10**9), "cold", True, [1], {"x": 1}])
def test_weather_that_is_none_is_refused(own: Served, world: World, value: Any) -> None:
    event = {"kind": "weather", "station": "EWR", "hour": "2013-04-01T02:00:00Z", "temp": value}
    (refused,) = tell(own, [event, event | {"temp": 40}], world.until)["refused"]
    assert refused["pointer"] == "/events/0/temp"


def test_the_clock_goes_on_by_a_day_at_most_and_never_back(own: Served, world: World) -> None:
    problem = tell(own, [], world.until + DAY + 1, expected=422)
    assert problem["errors"][0]["pointer"] == "/as_of" and "more than a day" in problem["detail"]
    assert tell(own, [], world.until + DAY)["as_of"] == clock.iso(world.until + DAY)
    assert tell(own, [], world.until)["as_of"] == clock.iso(world.until + DAY)


def test_nobody_but_a_feeder_tells(own: Served, world: World) -> None:
    for role in ("viewer", "analyst", "operator", "admin"):
        tell(own.by(role), [], world.until, expected=403)


def test_too_much_at_once_is_refused_whole(own: Served, world: World) -> None:
    tell(own, [{"kind": "weather"}] * 5001, world.until, expected=422)
    assert len(tell(own, [{"kind": "weather"}] * 5000, world.until)["refused"]) == 5000


def test_a_new_carrier_may_be_asked_about(own: Served, world: World) -> None:
    departure, arrival = "2013-04-01T14:00:00Z", "2013-04-01T16:00:00Z"
    event = {"kind": "scheduled", "flight": "2013-04-01.ZZ.12.JFK", "dest": "BOS"}
    assert tell(own, [event | {"scheduled_departure": departure, "scheduled_arrival": arrival}], world.until)["stored"]
    assert own.predict([{"id": event["flight"]}])[0]["carrier"] == "ZZ"
    assert ingest.cut(date(2013, 4, 1)) == world.until
