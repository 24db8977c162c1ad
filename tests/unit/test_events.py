"""When each kind of fact became known, what it is called, and when two events are the same."""

from datetime import UTC, datetime, timedelta

import pytest

from backend.clock import to_epoch
from backend.flights import events
from backend.flights.events import Event

FLIGHT = "2013-04-01.UA.1545.EWR"
DEPARTURE = datetime(2013, 4, 1, 9, 15, tzinfo=UTC)
ARRIVAL = datetime(2013, 4, 1, 13, 25, tzinfo=UTC)
LEFT = DEPARTURE + timedelta(minutes=7)
LANDED = ARRIVAL + timedelta(minutes=21)
SCHEDULE_KNOWN = DEPARTURE - timedelta(hours=48)
DECIDED = DEPARTURE - timedelta(hours=5)
LONG_BEFORE = DEPARTURE - timedelta(days=40)
HOUR = datetime(2013, 4, 1, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "known"),
    [
        (events.scheduled(FLIGHT, to_epoch(DEPARTURE), to_epoch(ARRIVAL), "IAH"), SCHEDULE_KNOWN),
        (events.assigned(FLIGHT, to_epoch(DECIDED), to_epoch(DEPARTURE), "N14228"), DECIDED),
        (events.assigned(FLIGHT, to_epoch(LONG_BEFORE), to_epoch(DEPARTURE), "N14228"), SCHEDULE_KNOWN),
        (events.departed(FLIGHT, to_epoch(LEFT), 7, "N14228"), LEFT),
        (events.arrived(FLIGHT, to_epoch(LANDED), 21), LANDED),
        (events.cancelled(FLIGHT, to_epoch(DEPARTURE), to_epoch(DEPARTURE)), DEPARTURE),
        (events.cancelled(FLIGHT, to_epoch(DECIDED), to_epoch(DEPARTURE)), DECIDED),
        (events.cancelled(FLIGHT, to_epoch(LONG_BEFORE), to_epoch(DEPARTURE)), SCHEDULE_KNOWN),
        (events.diverted(FLIGHT, to_epoch(ARRIVAL)), ARRIVAL + timedelta(hours=3)),
        (events.weather("EWR", to_epoch(HOUR), {"temp": 39.0}), HOUR + timedelta(hours=1, minutes=5)),
    ],
    ids=lambda value: value.kind if isinstance(value, Event) else "",
)
def test_each_kind_of_fact_is_known_at_its_time(event: Event, known: datetime) -> None:
    assert event.known_at == to_epoch(known)


def test_each_kind_has_an_event() -> None:
    made = {
        events.scheduled(FLIGHT, 0, 1, "IAH").kind,
        events.assigned(FLIGHT, 0, 0, "N1").kind,
        events.departed(FLIGHT, 0, 0).kind,
        events.arrived(FLIGHT, 0, 0).kind,
        events.cancelled(FLIGHT, 0, 0).kind,
        events.diverted(FLIGHT, 0).kind,
        events.weather("EWR", 0, {}).kind,
    }
    assert made == set(events.KINDS)


def test_a_flight_id_is_made_of_its_parts_and_gives_them_back() -> None:
    assert events.flight_id("2013-04-01", "UA", 1545, "EWR") == FLIGHT
    assert events.split_flight_id(FLIGHT) == ("2013-04-01", "UA", 1545, "EWR")


@pytest.mark.parametrize("text", ["", "2013-04-01.UA.1545", "2013-04-01.UA.x.EWR", "2013-04-01T14.EWR", "a.b.1.c.d"])
def test_what_is_no_flight_id_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"2013-04-01\.UA\.1545\.EWR"):
        events.split_flight_id(text)


def test_an_hour_of_weather_is_named_by_its_utc_hour_and_station() -> None:
    assert events.weather("EWR", to_epoch(HOUR), {}).subject == "2013-04-01T14.EWR"


def test_the_same_event_twice_has_one_digest() -> None:
    first, again = (events.departed(FLIGHT, to_epoch(LEFT), 7, "N14228") for _ in range(2))
    assert first.digest == again.digest
    assert len(first.digest) == 16
    one = events.weather("EWR", to_epoch(HOUR), {"temp": 39.0, "humid": None, "dewp": 26.1})
    other = events.weather("EWR", to_epoch(HOUR), {"dewp": 26.1, "temp": 39.0})
    assert one.digest == other.digest, "the order of the source's columns says nothing"


def test_an_event_that_says_something_else_has_another_digest() -> None:
    said = [
        events.departed(FLIGHT, to_epoch(LEFT), 7, "N14228"),
        events.departed(FLIGHT, to_epoch(LEFT), 8, "N14228"),
        events.departed(FLIGHT, to_epoch(LEFT) + 60, 7, "N14228"),
        events.departed(FLIGHT, to_epoch(LEFT), 7, "N14229"),
        events.departed(FLIGHT, to_epoch(LEFT), 7),
        events.arrived(FLIGHT, to_epoch(LEFT), 7),
        events.departed("2013-04-01.UA.1545.LGA", to_epoch(LEFT), 7, "N14228"),
    ]
    assert len({event.digest for event in said}) == len(said)
