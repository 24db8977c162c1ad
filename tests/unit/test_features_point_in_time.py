"""A feature uses only facts with known_at <= as_of, and the fast features are what the slow and obvious ones say."""

import random
from datetime import UTC, date, datetime

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.clock import to_epoch
from backend.flights import events, features
from backend.flights.events import Event
from backend.flights.facts import from_rows
from backend.flights.history import History
from backend.flights.places import Airport, Places
from tests.unit import reference_features
from tests.unit.small_log import airports, altered, asked_about, changed, history_of, real_log, rows_of

# The clocks of New York went forward at 07:00Z on 10 March 2013.
MOMENTS = st.sampled_from(
    [
        to_epoch(datetime(2013, 3, 10, 6, 30, tzinfo=UTC)),
        to_epoch(datetime(2013, 3, 10, 7, 0, tzinfo=UTC)),
        to_epoch(datetime(2013, 3, 10, 8, 5, tzinfo=UTC)),
        to_epoch(datetime(2013, 3, 10, 12, 0, tzinfo=UTC)),
        to_epoch(datetime(2013, 3, 10, 20, 17, tzinfo=UTC)),
        to_epoch(datetime(2013, 3, 11, 15, 5, tzinfo=UTC)),
        to_epoch(datetime(2013, 3, 12, 3, 59, tzinfo=UTC)),
    ]
)
RANDOMS = st.randoms(use_true_random=False)


@pytest.fixture(name="log", scope="module")
def make_log() -> list[Event]:
    """Three days a month ago and five days around the change of clocks, thinned."""
    return [*real_log(date(2013, 2, 9), date(2013, 2, 11), 40), *real_log(date(2013, 3, 8), date(2013, 3, 12), 12)]


def built(log: list[Event], asked: list[reference_features.Asked], as_of: int) -> npt.NDArray[np.float64]:
    moments = np.full(len(asked), as_of, np.int64)
    return features.build(features.flights_of(asked), moments, history_of(log))


def differing(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> set[str]:
    """Names of the columns in which they differ, where NaN equals NaN."""
    different = ~((left == right) | (np.isnan(left) & np.isnan(right)))
    return {name for name, column in zip(features.names(), different.T, strict=True) if column.any()}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(as_of=MOMENTS, rng=RANDOMS, drop=st.sampled_from([0.0, 0.3, 1.0]), alter=st.sampled_from([0.0, 0.5, 1.0]))
def test_a_fact_from_the_future_changes_no_feature(
    log: list[Event], as_of: int, rng: random.Random, drop: float, alter: float
) -> None:
    log = changed(log, as_of, rng.randrange(20), rng)
    asked = asked_about(log, as_of, 200, rng)
    often = random.Random(rng.randrange(1 << 30))
    other = [
        altered(event, often) if event.known_at > as_of and often.random() < alter else event
        for event in log
        if event.known_at <= as_of or often.random() >= drop
    ]
    other = changed(other, as_of, rng.randrange(1, 20), rng, known_after=as_of)
    assert [event for event in other if event.known_at <= as_of] == [event for event in log if event.known_at <= as_of]
    assert differing(built(log, asked, as_of), built(other, asked, as_of)) == set()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(as_of=MOMENTS, rng=RANDOMS)
def test_the_fast_features_are_what_the_slow_and_obvious_ones_say(
    log: list[Event], as_of: int, rng: random.Random
) -> None:
    log = changed(log, as_of, rng.randrange(40), rng)
    asked = asked_about(log, as_of, 4, rng)
    known = reference_features.Known(rows_of(log), as_of, airports())
    expected = [reference_features.features(flight, known) for flight in asked]
    assert_equal(built(log, asked, as_of), expected)


def assert_equal(found: npt.NDArray[np.float64], expected: list[dict[str, float]]) -> None:
    for row, said in zip(found, expected, strict=True):
        assert set(features.names()) - set(said) == set(), "reference_features.py does not know these columns"
        values = np.array([said[name] for name in features.names()], np.float64)
        wrong = differing(row[None], values[None])
        told = dict(zip(features.names(), row, strict=True))
        assert {name: (told[name], said[name]) for name in wrong} == {}


def test_on_a_real_day_every_column_says_something(log: list[Event]) -> None:
    as_of = to_epoch(datetime(2013, 3, 11, 20, 0, tzinfo=UTC))
    rows = built(log, asked_about(log, as_of, 500, random.Random(1)), as_of)
    constant = {name for name, column in zip(features.names(), rows.T, strict=True) if np.isnan(column).all()}
    assert constant <= {"weather_wind_gust", "weather_pressure_change_3h"}  # not measured in those hours


@pytest.mark.parametrize("kind", ["scheduled", "departed", "arrived", "cancelled", "weather"])
def test_a_known_fact_that_is_altered_or_deleted_changes_some_feature(log: list[Event], kind: str) -> None:
    as_of = to_epoch(datetime(2013, 3, 9, 1, 0, tzinfo=UTC))
    asked = asked_about(log, as_of, 500, random.Random(1))
    before = built(log, asked, as_of)
    # The last one that was known; of schedules the last one of a flight that was due.
    place = max(
        place for place, event in enumerate(log) if event.kind == kind and max(event.known_at, event.at) <= as_of
    )
    without = [*log[:place], *log[place + 1 :]]
    assert differing(before, built(without, asked, as_of))
    other = altered(log[place], random.Random(3))
    assert differing(before, built([*log, other], asked, as_of))


@pytest.mark.parametrize("kind", ["departed", "arrived", "weather"])
def test_a_fact_counts_from_the_second_at_which_it_is_known(log: list[Event], kind: str) -> None:
    after = to_epoch(datetime(2013, 3, 11, 15, 0, tzinfo=UTC))
    fact = next(event for event in log if event.kind == kind and event.known_at > after)
    asked = asked_about(log, fact.known_at, 500, random.Random(1))
    without = [event for event in log if event != fact]
    assert differing(built(log, asked, fact.known_at - 1), built(without, asked, fact.known_at - 1)) == set()
    assert differing(built(log, asked, fact.known_at), built(without, asked, fact.known_at))


def test_weather_at_stations_with_codes_of_four_letters_is_each_ones_own() -> None:
    stations = {"KEWR": 1.0, "PHNL": 2.0, "ZZZZ": 3.0, "KEWQ": 4.0, "0EWR": 5.0}
    as_of = to_epoch(datetime(2013, 3, 11, 15, 5, tzinfo=UTC))
    hour = as_of - events.WEATHER_KNOWN_AFTER
    log = [events.weather(station, hour, {"visib": miles}) for station, miles in stations.items()]
    where = Places(Airport(station, station, 40.0, -74.0, "America/New_York") for station in stations)
    history = History(from_rows(rows_of(log)), where)
    asked = features.flights_of([("UA", 1, station, "KEWR", as_of, None) for station in stations])
    rows = features.build(asked, np.full(len(stations), as_of, np.int64), history)
    assert rows[:, features.names().index("weather_visib")].tolist() == list(stations.values())
