"""The facts that are named behind a feature are the ones that it is made from."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from backend.clock import DAY, HOUR, to_epoch
from backend.flights import evidence, features
from backend.flights.events import Event
from backend.flights.evidence import Found, Source
from backend.flights.facts import from_rows
from backend.flights.features import Flights
from backend.flights.history import History
from tests.unit import small_log

NOW = to_epoch(datetime(2013, 2, 14, 15, tzinfo=ZoneInfo("America/New_York")))


@pytest.fixture(name="log", scope="module")
def make_log() -> list[Event]:
    """Ten days of facts, of every sixth flight number, known at the moment of asking or later."""
    return list(small_log.real_log(date(2013, 2, 5), date(2013, 2, 15), 6))


@pytest.fixture(name="flight", scope="module")
def make_flight(log: list[Event]) -> Flights:
    """A flight three hours ahead."""
    plan = next(one for one in small_log.flights_in(log) if one.departure >= NOW + 3 * HOUR)
    _, carrier, number, origin = plan.id.split(".")
    return features.flights_of([(carrier, int(number), origin, plan.dest, plan.departure, plan.arrival)])


def seen(log: list[Event], flight: Flights) -> tuple[dict[Source, Found], dict[str, float]]:
    """What stands behind the features of that flight, and their values."""
    facts = from_rows(small_log.rows_of(log))
    history = History(facts, small_log.places())
    row = features.build(flight, np.array([NOW], np.int64), history)[0]
    return evidence.find(flight, NOW, facts, history), dict(zip(features.names(), row.tolist(), strict=True))


def test_every_feature_says_what_it_is_made_from() -> None:
    assert tuple(evidence.sources()) == features.names()
    kinds = {source.kind for several in evidence.sources().values() for source in several}
    assert kinds == {"departures", "outcomes", "demand", "overdue", "weather", "schedule"}
    assert all(1 <= len(several) <= 2 for several in evidence.sources().values())


def test_where_there_are_no_facts_there_is_no_value(log: list[Event], flight: Flights) -> None:
    found, values = seen(log, flight)
    for name, (first, *others) in evidence.sources().items():
        if first != evidence.SCHEDULE and not others and found[first].number == 0:
            assert np.isnan(values[name]) or values[name] == 0, name
    assert sum(one.number > 0 for one in found.values()) > 30


def test_the_newest_fact_is_in_its_window_and_was_known(log: list[Event], flight: Flights) -> None:
    found, _ = seen(log, flight)
    by_seq = dict(enumerate(log, start=1))
    for source, one in found.items():
        assert (one.newest is None) == (one.number == 0), source
        if one.newest is not None:
            event = by_seq[one.newest.seq]
            assert (event.kind, event.known_at) == (one.newest.kind, one.newest.known_at) and event.known_at <= NOW
            time = event.known_at if source.kind in ("departures", "outcomes", "weather") else event.at
            assert source.group == "route" or one.after < time <= one.until, source


@pytest.mark.parametrize("kind", ["departures", "outcomes"])
def test_without_its_newest_fact_a_source_has_one_less(log: list[Event], flight: Flights, kind: str) -> None:
    found, values = seen(log, flight)
    for source in (source for source in found if source.kind == kind and found[source].number > 1):
        newest = found[source].newest
        assert newest is not None
        place = newest.seq - 1
        later = log[place]._replace(known_at=NOW + DAY)
        again, changed = seen([*log[:place], later, *log[place + 1 :]], flight)
        assert again[source].number == found[source].number - 1, source
        assert again[source].newest != newest
        moved = {name for name in values if not np.array_equal(values[name], changed[name], equal_nan=True)}
        named = {
            name
            for name, several in evidence.sources().items()
            if any(one.kind in ("departures", "outcomes", "overdue") for one in several)
        }
        assert moved and moved <= named


def test_nothing_of_the_future_is_behind_a_feature(log: list[Event], flight: Flights) -> None:
    known = [event for event in log if event.known_at <= NOW]
    later = [event for event in log if event.known_at > NOW]
    assert len(later) > 100
    with_future, values = seen([*known, *later], flight)
    without, same = seen(known, flight)
    assert with_future == without
    assert np.array_equal(list(values.values()), list(same.values()), equal_nan=True)
