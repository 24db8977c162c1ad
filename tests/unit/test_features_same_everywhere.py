"""One flight alone, all together, a partition with its overlap, a log that grew: the same features, to the byte."""

import io
import json
import random
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime

import numpy as np
import numpy.typing as npt
import pytest
from sqlalchemy import Connection, Engine, insert

from backend.clock import DAY, HOUR, to_epoch
from backend.flights import events, features
from backend.flights.events import Event
from backend.flights.facts import Facts, from_rows
from backend.flights.features import Flights
from backend.flights.history import History
from backend.model import bundle, dataset, recall, train
from backend.model.recall import Recall
from backend.model.scoring import Calibration, Encoder
from backend.store import events as store
from backend.store import sql
from tests.unit.small_log import airports, asked_about, changed, flights_in, places, real_log

UNTIL = to_epoch(datetime(2013, 4, 12, tzinfo=UTC))


@pytest.fixture(name="log", scope="module")
def make_log() -> list[Event]:
    """Two months, thinned, with four hundred corrections, late facts and contradictions around several moments.

    And with flights that were cancelled forty days ahead.
    """
    rng = random.Random(20130310)
    log = list(real_log(date(2013, 2, 1), date(2013, 4, 10), 60))
    for day in (date(2013, 3, 1), date(2013, 3, 8), date(2013, 3, 10), date(2013, 4, 5)):
        log = changed(log, to_epoch(datetime(day.year, day.month, day.day, 17, tzinfo=UTC)), 100, rng)
    for flight in rng.sample(flights_in(log), 40):
        log.append(events.cancelled(flight.id, flight.departure - 40 * DAY, flight.departure))
    return [event for event in log if event.known_at <= UNTIL]


@pytest.fixture(name="connection")
def make_connection(engine: Engine, log: list[Event]) -> Iterator[Connection]:
    """A real store that recorded that log in its order, a part at a time."""
    record(engine, log)
    with engine.connect() as connection:
        yield connection


def record(engine: Engine, log: list[Event]) -> None:
    """Let the store record that, a part at a time, and know every airport."""
    with sql.writing(engine) as connection:
        every = [airport._asdict() for airport in airports().values()]
        connection.execute(store.insert_for(connection)(sql.airports).on_conflict_do_nothing(), every)
        for start in range(0, len(log), 1000):
            store.append(connection, log[start : start + 1000])


@pytest.fixture(name="whole")
def make_whole(connection: Connection) -> Facts:
    """Everything in the store."""
    return from_rows(store.recorded_after(connection, 0))


def asked_over(log: list[Event], first: date, days: int) -> tuple[Flights, npt.NDArray[np.int64]]:
    """Flights of some days, each at a lead time of its own from none to 24 hours."""
    rng = random.Random(7)
    start = to_epoch(datetime(first.year, first.month, first.day, tzinfo=UTC))
    rows = [row for day in range(days) for row in asked_about(log, start + day * DAY, 500, rng)]
    leads = [rng.choice([0, 60, HOUR, 2 * HOUR, 24 * HOUR, rng.randrange(24 * HOUR)]) for _ in rows]
    flights = features.flights_of(rows)
    return flights, flights.departure - np.array(leads, np.int64)


def assert_same(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> None:
    different = ~((left == right) | (np.isnan(left) & np.isnan(right)))
    assert {name for name, column in zip(features.names(), different.T, strict=True) if column.any()} == set()
    assert left.tobytes() == right.tobytes()


def test_a_flight_alone_and_all_of_them_in_any_order_have_the_same_features(whole: Facts, log: list[Event]) -> None:
    history = History(whole, places())
    flights, as_of = asked_over(log, date(2013, 3, 1), 36)
    together = features.build(flights, as_of, history)
    assert len(together) > 250
    order = np.random.default_rng(1).permutation(len(flights))
    assert_same(together[order], features.build(flights.take(order), as_of[order], history))
    few = order[:150]
    alone = [features.build(flights.take(slice(row, row + 1)), as_of[row : row + 1], history) for row in few.tolist()]
    assert_same(together[few], np.concatenate(alone))


@pytest.mark.parametrize("since", [date(2013, 3, 9), date(2013, 3, 22), date(2013, 4, 1)])
def test_a_partition_with_its_overlap_gives_the_features_of_the_whole(
    connection: Connection, whole: Facts, log: list[Event], since: date
) -> None:
    start = to_epoch(datetime(since.year, since.month, since.day, tzinfo=UTC))
    part = dataset.load(connection, UNTIL, start)
    assert len(part.facts.flights) < len(whole.flights)
    flights, as_of = asked_over(log, since, 9)
    assert_same(features.build(flights, as_of, part.history), features.build(flights, as_of, History(whole, places())))
    names = list(part.facts.flights)
    labels = dict(zip(whole.flights, dataset.world(whole, places()).disrupted.tolist(), strict=True))
    final = part.labelled(UNTIL, start).tolist()
    assert final
    assert [labels[names[place]] for place in final] == part.disrupted[final].tolist()


def test_a_partition_that_ends_knows_what_the_whole_knew_by_then(
    connection: Connection, whole: Facts, log: list[Event]
) -> None:
    start = to_epoch(datetime(2013, 3, 9, tzinfo=UTC))
    flights, as_of = asked_over(log, date(2013, 3, 9), 3)
    part = dataset.load(connection, int(as_of.max()), start)
    assert_same(features.build(flights, as_of, part.history), features.build(flights, as_of, History(whole, places())))


@pytest.mark.parametrize("seed", range(4))
def test_a_log_that_is_read_as_it_grows_gives_the_features_of_the_whole(
    connection: Connection, whole: Facts, log: list[Event], seed: int
) -> None:
    rows = list(store.recorded_after(connection, 0))
    rng = random.Random(seed)
    cuts = sorted(rng.sample(range(len(rows)), 12))
    grown: Facts | None = None
    for first, last in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        grown = from_rows(rows[first:last], grown)
    assert grown is not None
    assert (grown.seq, grown.flights) == (whole.seq, whole.flights)
    flights, as_of = asked_over(log, date(2013, 3, 1), 40)
    histories = History(grown, places()), History(whole, places())
    assert_same(*(features.build(flights, as_of, history) for history in histories))


@pytest.mark.parametrize("most", [0, 60, 100_000])
def test_a_process_that_learns_as_the_log_grows_has_the_features_of_the_whole(
    engine: Engine, log: list[Event], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(recall, "CHANGED_AT_MOST", most)
    monkeypatch.setattr(recall, "CHANGED_PART_AT_MOST", 0)
    rng = random.Random(most)
    begun = 3 * len(log) // 4
    record(engine, log[:begun])
    mine, at = Recall(), sorted(rng.sample(range(begun, len(log)), 7))
    for first, last in zip([begun, *at], [*at, len(log)], strict=True):
        record(engine, log[first:last])
        now = max(event.known_at for event in log[:last])
        asked = features.flights_of(asked_about(log[:last], now, 30, rng))
        as_of = np.full(len(asked), now, np.int64)
        with engine.connect() as connection:
            learned = mine.history(connection, now)
            whole = History(from_rows(store.recorded_after(connection, 0)), places())
        assert learned.seq == whole.seq
        assert_same(features.build(asked, as_of, learned), features.build(asked, as_of, whole))


def test_airports_that_come_while_it_runs_are_known(engine: Engine, log: list[Event]) -> None:
    mine = Recall()
    record(engine, log[:2000])
    with engine.connect() as connection:
        mine.history(connection, UNTIL)
    with sql.writing(engine) as connection:
        new = {**airports()["JFK"]._asdict(), "code": "ZZZ"}
        connection.execute(insert(sql.airports), [new])
        departure = log[2000].known_at + DAY
        store.append(connection, [events.scheduled("2013-02-20.UA.1.JFK", departure, departure + HOUR, "ZZZ")])
    flights = features.flights_of([("UA", 1, "JFK", "ZZZ", departure, None)])
    with engine.connect() as connection:
        known = mine.history(connection, UNTIL)
    assert features.build(flights, flights.departure - HOUR, known).shape == (1, len(features.names()))


def test_a_fact_that_is_recorded_before_its_schedule_waits_for_it() -> None:
    plan, left, *_ = sorted(
        (event for event in real_log(date(2013, 3, 8), date(2013, 3, 8), 60) if event.kind != "weather"),
        key=lambda event: (event.subject, event.known_at),
    )
    assert (plan.kind, left.kind) == ("scheduled", "departed")
    early = from_rows([(1, *left)])
    assert (early.flights, len(early.waiting)) == ({}, 1)
    later = from_rows([(2, *plan)], early)
    assert (len(later.departures.at), later.waiting) == (1, ())


def test_a_bundle_says_which_features_it_was_made_for_and_serves_no_others() -> None:
    rng = np.random.default_rng(1)
    rows = rng.random((60, len(features.names())))
    trees = train.fit(rows, rng.integers(0, 2, 60), 1, {"num_iterations": 2, "min_data_in_leaf": 5}).trees
    content = bundle.pack(1, {}, Encoder(0.2, {"carrier": {}}), Calibration(1.5, 0.25), trees)
    assert bundle.load(content, bundle.sha256(content)).calibration == Calibration(1.5, 0.25)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(parts["bundle.json"])
    assert (about["feature_list"], tuple(about["features"])) == (features.VERSION, features.names())
    for change in ({"feature_list": "0"}, {"features": about["features"][::-1]}, {"features": about["features"][1:]}):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, content in (parts | {"bundle.json": json.dumps(about | change).encode()}).items():
                archive.writestr(name, content)
        with pytest.raises(bundle.BundleError, match="train again"):
            bundle.load(out.getvalue(), bundle.sha256(out.getvalue()))
