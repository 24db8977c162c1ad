"""What feeders tell: in any order, more than once, with faults in it, and how far they may move the clock."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from backend import accounts, clock
from backend.flights.told import fields as said
from backend.store import events as log
from backend.store import sql
from backend.store.documents import open_documents
from jobs import ingest
from tests import small_world
from tests.conftest import World
from tests.integration.served import Served

DAY = clock.DAY


@pytest.fixture(name="own")
def make_own(world_copy: World, password_hash: str) -> Served:
    """A process over a world of its own, asked by a feeder."""
    return Served.over(world_copy, password_hash).by("feeder")


def tell(served: Served, events: list[dict[str, Any]], as_of: int, expected: int = 200, key: str | None = None) -> Any:
    body = {"as_of": clock.iso(as_of), "events": events}
    headers = served.headers | ({} if key is None else {"Idempotency-Key": key})
    answer = served.client.post("/observations", json=body, headers=headers)
    assert answer.status_code == expected, answer.text
    return answer.get_json()


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
    events = small_world.facts_after(until, 2)
    assert {event.kind for event in events} >= {"scheduled", "departed", "arrived", "cancelled", "weather"}
    once = Served.over(World(facts.installed(tmp_path / "once"), until), password_hash)
    with sql.writing(once.engine) as connection:
        log.append(connection, events)
    tell(own, [], until + DAY)
    tell(own, [], until + 2 * DAY)

    def feed(seed: int) -> list[Any]:
        feeder = Served.over(own.world, password_hash).by("feeder")  # a process of its own
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
    events = [said(event) for event in small_world.facts_after(world.until, 2) if event.known_at <= world.until + 3600]
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


def test_a_batch_that_is_sent_again_with_its_key_gets_its_first_receipt(own: Served, world: World) -> None:
    first, other = [departure(minutes) for minutes in (40, 41)]
    receipt = tell(own, [first], world.until + 3600, key="a")
    tell(own, [other], world.until + 7200)
    assert tell(own, [first], world.until + 3600, key="a") == receipt, "although the clock has gone on"
    assert tell(own, [first], world.until + 3600, key="b")["repeated"] == 1
    problem = tell(own, [other], world.until + 3600, expected=422, key="a")
    assert problem["errors"][0]["parameter"] == "Idempotency-Key"
    assert problem["title"] == "Another batch had this key"
    tell(own, [first], world.until + 3600, expected=422, key="k" * 81)
    tell(own, [first], world.until + 3600, expected=422, key="a key")


def test_a_key_belongs_to_its_account_and_is_forgotten_after_a_day(
    own: Served, world: World, password_hash: str
) -> None:
    accounts.add(open_documents(own.world.settings.documents), "another", password_hash, "feeder", 0)
    tell(own, [departure(40)], world.until + 3600, key="a")
    assert tell(own.by("another"), [departure(41)], world.until + 3600, key="a")["stored"] == 1
    with sql.writing(own.engine) as connection:
        connection.execute(sql.receipts.update().values(created_at=sql.receipts.c.created_at - DAY))
    assert tell(own, [departure(42)], world.until + 3600, key="a")["stored"] == 1
    with own.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(sql.receipts)) == 1


def test_one_key_sent_by_two_at_once_is_one_batch(own: Served, world: World) -> None:
    events = [departure(minutes) for minutes in range(10, 60)]
    with ThreadPoolExecutor(4) as senders:
        told = senders.map(lambda _: tell(own, events, world.until + 7200, key="a"), range(8))
    assert {(receipt["stored"], receipt["repeated"]) for receipt in told} == {(50, 0)}


def test_what_was_told_badly_is_counted_by_day(own: Served, world: World) -> None:
    """The clock stands at 04:00 UTC of 1 April; all of it is told as that day goes on, with no weather at all."""
    schedule = {"kind": "scheduled", "flight": "2013-04-01.ZZ.12.JFK", "dest": "BOS"}
    schedule |= {"scheduled_departure": "2013-04-01T14:00:00Z", "scheduled_arrival": "2013-04-01T16:00:00Z"}
    wrong = [departure(40) | {"flight": "2013-04-01.UA.1545.QQQ"}, departure(40) | {"known_at": "now"}, {"kind": "x"}]
    tell(own, [schedule, *wrong], world.until)
    tell(own, [departure(40)], world.until + 6 * 3600)
    tell(own, [departure(40), departure(50)], world.until + DAY)
    (day, first) = own.by("viewer").get("/quality").get_json()["items"]
    assert (day["day"], first["day"]) == ("2013-04-02T00:00:00Z", "2013-04-01T00:00:00Z")
    assert first["refused"] == {"unknown airport": 1, "unknown field": 1, "unknown kind": 1}
    assert first["stored"] == {"scheduled": 1, "departed": 1} and first["refused_share"] == 3 / 5
    assert first["unknown_carrier"] == {"ZZ": 1} and first["late"] == {"scheduled": 1}
    assert first["missing_weather"] == {"EWR": 5, "JFK": 5, "LGA": 5}
    assert day["repeated"] == 1 and day["late"] == {"departed": 1}
    assert day["missing_weather"] == {"EWR": 18, "JFK": 18, "LGA": 18}
    page = own.by("viewer").get("/quality?limit=1").get_json()
    assert [item["day"] for item in page["items"]] == [day["day"]]
    rest = own.by("viewer").get(f"/quality?cursor={page['next']}").get_json()
    assert [item["day"] for item in rest["items"]] == [first["day"]] and rest["next"] is None
    assert own.by("viewer").get("/quality?until=2013-04-02T00:00:00Z").get_json()["items"] == [first]


def test_in_live_mode_the_clock_is_the_wall_s_and_no_feeder_moves_it(own: Served, world: World) -> None:
    with sql.writing(own.engine) as connection:
        log.enter(connection, "live")
    before = clock.wall()
    receipt = tell(own, [departure(40)], world.until + 400 * DAY)
    status = own.by("viewer").get("/status").get_json()
    assert before <= at(receipt["as_of"]) <= at(status["clock"]) <= clock.wall() and status["mode"] == "live"
    assert receipt["stored"] == 1
    with own.engine.connect() as connection:
        assert log.told_until(connection) == world.until + 400 * DAY
    problem = tell(own, [], clock.wall() + 600, expected=422)
    assert "in the future" in problem["detail"] and problem["errors"][0]["pointer"] == "/as_of"
    flight = {"carrier": "UA", "flight": 1545, "origin": "EWR", "dest": "IAH"}
    flight |= {"scheduled_departure": clock.iso(clock.wall() + 3600)}
    assert before <= at(own.predict([flight])[0]["as_of"]) <= clock.wall()
    with sql.writing(own.engine) as connection, pytest.raises(ValueError, match="PUSHBACK_MODE=live"):
        log.enter(connection, "replay")


def departure(minutes: int) -> dict[str, Any]:
    """A flight of the first morning that left so many minutes after 04:00 UTC, which was ten before its schedule."""
    event = {"kind": "departed", "flight": "2013-04-01.UA.1545.EWR", "scheduled_departure": "2013-04-01T04:10:00Z"}
    return event | {"at": f"2013-04-01T04:{minutes:02}:00Z"}


def at(text: str) -> int:
    return clock.to_epoch(datetime.fromisoformat(text))


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
