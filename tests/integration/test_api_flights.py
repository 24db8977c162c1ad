"""GET /flights: pages, filters, and one flight with what became of it."""

import pytest

from backend import clock
from tests.integration.served import Served, problem
from ui.answers import Flight


def test_by_default_the_coming_flights_by_departure(served: Served) -> None:
    items = served.listed()
    times = [flight["scheduled_departure"] for flight in items]
    assert times == sorted(times) and times[0] >= str(clock.iso(served.world.until))
    assert len(items) == 50 and {flight["status"] for flight in items} <= {"scheduled", "cancelled"}
    assert set(Flight.__annotations__) <= set(items[0])


def test_pages_hold_each_flight_once(served: Served) -> None:
    window = "from=2013-03-30T04:00:00Z&until=2013-03-31T04:00:00Z"
    whole = [flight["id"] for flight in served.listed(f"?{window}&limit=500")]
    seen: list[str] = []
    path = f"/flights/?{window}&limit=37"
    while path:
        page = served.get(path).get_json()
        seen += [flight["id"] for flight in page["items"]]
        path = page["next"] and f"/flights?{window}&limit=37&cursor={page['next']}"
    assert seen == whole and len(set(seen)) == len(whole) > 100


def test_filters_narrow_together(served: Served) -> None:
    one = served.listed()[0]
    found = served.listed(f"?origin={one['origin']}&dest={one['dest']}&carrier={one['carrier']}")
    assert one["id"] in [flight["id"] for flight in found]
    assert {(f["origin"], f["dest"], f["carrier"]) for f in found} == {(one["origin"], one["dest"], one["carrier"])}
    assert served.listed("?origin=ZZZ") == []
    assert served.listed("?from=9999-12-31T00:00:00Z") == []
    assert len(served.listed("?from=0001-01-01T00:00:00Z&limit=3")) == 3


def test_a_flight_that_has_flown_says_how_it_ended(served: Served) -> None:
    flown = served.listed("?from=2013-03-01T12:00:00Z&until=2013-03-02T12:00:00Z&limit=500")
    ended = {flight["status"] for flight in flown}
    assert ended <= {"arrived", "cancelled", "diverted"} and "arrived" in ended
    for flight in flown:
        late = (flight["arrival_delay_minutes"] or 0) >= 15
        assert flight["disrupted"] == (late or flight["status"] != "arrived")
    whole = served.get(f"/flights/{flown[0]['id']}/").get_json()
    assert {name: whole[name] for name in flown[0]} == flown[0]
    outcome = whole["outcome"]
    assert (outcome["kind"], outcome["disrupted"]) == (flown[0]["status"], flown[0]["disrupted"])
    assert outcome["final"] is True and outcome["at"]


def test_local_times_are_the_airport_s_own(served: Served) -> None:
    flight = served.listed("?dest=LAX")[0]
    assert flight["scheduled_departure_local"][:10] == flight["id"][:10]
    assert flight["scheduled_departure_local"] < flight["scheduled_departure"]
    assert flight["scheduled_arrival_local"] < flight["scheduled_arrival"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        *(
            (f"cursor={cursor}", "cursor")
            for cursor in ("x", "1", "1.", ".x", "-1.x", "9" * 30 + ".x", "%00.x", "²1.x")
        ),
        *((f"limit={limit}", "limit") for limit in ("0", "501", "-1", "x", "9" * 40, "NaN")),
        *((f"from={time}", "from") for time in ("yesterday", "2013-04-01", "2013-04-01T00:00:00", "NaN", "1e400")),
        ("until=10000-01-01T00:00:00Z", "until"),
        ("origin=" + "A" * 50, "origin"),
        ("colour=red", "colour"),
    ],
)
def test_a_parameter_that_is_none_is_named(served: Served, query: str, parameter: str) -> None:
    body = problem(served.get(f"/flights?{query}"), 422)
    assert parameter in [error["parameter"] for error in body["errors"]]


@pytest.mark.parametrize("identity", ["x", "2013-04-01.UA.1.XXX", "%00", "a" * 3000, "%F0%9F%9B%AB", "'--"])
def test_a_flight_that_is_not_stored_is_not_found(served: Served, identity: str) -> None:
    problem(served.get(f"/flights/{identity}"), 404)


def test_it_takes_a_login_and_head_has_no_body(served: Served) -> None:
    problem(served.client.get("/flights"), 401)
    answer = served.client.head("/flights", headers=served.headers)
    assert answer.status_code == 200 and answer.data == b""
