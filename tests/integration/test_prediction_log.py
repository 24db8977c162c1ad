"""The log of predictions: what a row holds, the first answer to a question, and no answer that is not in it."""

import multiprocessing
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, func, select

from backend import clock
from backend.flights import events, features
from backend.model.serving import Serving
from backend.store import events as log
from backend.store import predictions, sql
from backend.store.blobs import Blobs
from tests.conftest import NOON, World
from tests.integration import rival
from tests.integration.served import Served, problem

HOUR = clock.HOUR


def rows_of(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(sql.predictions).order_by(sql.predictions.c.id)))


@pytest.fixture(name="own")
def make_own(world_copy: World, password_hash: str) -> Served:
    """A process over a world of its own, whose log is empty."""
    return Served.over(world_copy, password_hash)


def by_schedule(stored: dict[str, Any], **changes: Any) -> dict[str, Any]:
    names = ("carrier", "flight", "origin", "dest", "scheduled_departure")
    return {name: stored[name] for name in names} | changes


def test_a_row_holds_what_the_answer_was_made_from(own: Served) -> None:
    flight = own.coming()[3]
    answer = own.predict([{"id": flight["id"]}])[0]
    (row,) = rows_of(own.engine)
    assert (row.flight, row.variant, row.dest) == (flight["id"], "", flight["dest"])
    assert clock.iso(row.scheduled_departure) == flight["scheduled_departure"]
    assert clock.iso(row.scheduled_arrival) == flight["scheduled_arrival"]
    assert (row.as_of, row.asked_at, row.past) == (own.world.until, NOON, False)
    assert (row.probability, str(row.version), row.seq) == tuple(
        answer[name] for name in ("probability", "model_version", "seq")
    )
    assert (row.shadow_version, row.shadow_probability) == (None, None)
    assert (row.feature_list, len(row.account)) == (features.VERSION, 36)


def test_logged_features_are_those_of_the_facts_to_the_last_bit(own: Served) -> None:
    own.predict([{"id": flight["id"]} for flight in own.coming()[:40]])
    serving = Serving(Blobs(own.world.settings.blobs))
    for row in rows_of(own.engine):
        _, carrier, number, origin = events.split_flight_id(row.flight)
        plan = (carrier, number, origin, row.dest, row.scheduled_departure, row.scheduled_arrival)
        with own.engine.connect() as connection:
            history = serving.history(connection, row.as_of)
            champion, _ = serving.champion(connection)
        again = features.build(features.flights_of([plan]), np.array([row.as_of]), history)
        assert predictions.unpack(row.features).tobytes() == again[0].tobytes()
        assert champion.probability(again).tolist() == [row.probability]


def test_the_same_question_gets_the_first_answer_whatever_was_learned_since(own: Served) -> None:
    asked = [{"id": flight["id"]} for flight in own.coming()[:30]]
    first = own.predict(asked)
    gone = select(sql.flights.c.id).where(sql.flights.c.departed_at.is_not(None)).limit(40)
    with sql.writing(own.engine) as connection:
        until = own.world.until
        log.append(connection, [events.departed(flight, until - 60, 240) for flight in connection.scalars(gone)])
    assert own.predict(asked) == first
    assert own.by("analyst").predict(asked) != first
    assert len(rows_of(own.engine)) == 60


def test_a_question_by_id_and_by_schedule_is_one_row(own: Served) -> None:
    flight = own.coming()[0]
    arrival = flight["scheduled_arrival"]
    asked = [{"id": flight["id"]}, by_schedule(flight), by_schedule(flight, scheduled_arrival=arrival)]
    answers = own.predict(asked) + own.predict(asked[1:]) + own.predict(asked[:1])
    assert all(answer == answers[0] for answer in answers)
    assert len(rows_of(own.engine)) == 1


def test_another_schedule_or_moment_is_another_question(own: Served) -> None:
    flight = own.coming()[0]
    later = clock.iso(clock.to_epoch(datetime.fromisoformat(flight["scheduled_arrival"])) + HOUR)
    assert own.predict([by_schedule(flight, scheduled_arrival=later)])[0]["id"] == flight["id"]
    assert own.predict([by_schedule(flight, flight=9998)])[0]["id"] is None
    own.predict([by_schedule(flight)])
    own.predict([by_schedule(flight)], as_of=clock.iso(own.world.until - HOUR))
    rows = rows_of(own.engine)
    day, carrier, _, origin = events.split_flight_id(flight["id"])
    assert [row.flight for row in rows] == [
        flight["id"],
        f"{day}.{carrier}.9998.{origin}",
        flight["id"],
        flight["id"],
    ]
    assert [row.past for row in rows] == [False, False, False, True]
    assert rows[0].variant and rows[1].variant and not rows[2].variant and not rows[3].variant


def test_a_refused_question_leaves_no_row(own: Served) -> None:
    flight = own.coming()[0]
    problem(own.post({"flights": [by_schedule(flight), by_schedule(flight, dest="XXX")]}), 422)
    assert not rows_of(own.engine)


def test_a_thousand_flights_are_one_transaction_and_a_row_each(own: Served) -> None:
    flight = own.coming()[0]
    asked = [by_schedule(flight, flight=number) for number in range(1, 1001)]
    answers = own.predict(asked)
    assert len(rows_of(own.engine)) == 1000
    assert own.predict(asked[::-1]) == answers[::-1]


@contextmanager
def full_disk() -> Iterator[None]:
    """No file grows meanwhile: what a full disk does to SQLite, without one."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.sqlite("the limit holds for this process, not for a server")
def test_an_answer_that_cannot_be_logged_is_none(own: Served) -> None:
    known, new = ([{"id": flight["id"]}] for flight in own.coming()[:2])
    first = own.predict(known)
    with full_disk():
        refused = own.post({"flights": new})
        assert own.predict(known) == first
    assert "in the log" in problem(refused, 503)["detail"] and refused.headers["Retry-After"]
    assert own.predict(new) and len(rows_of(own.engine)) == 2


@pytest.mark.sqlite("PostgreSQL has no one writer who holds it")
def test_a_database_that_another_writer_holds_is_waited_for_and_not_for_ever(own: Served) -> None:
    new = [{"id": own.coming()[0]["id"]}]
    with sql.writing(own.engine):
        body = problem(own.post({"flights": new}), 503)
    assert body["title"] == "Not logged"
    assert own.predict(new)


def test_processes_that_ask_the_same_at_once_are_told_the_same(queue: Engine) -> None:
    spawn = multiprocessing.get_context("spawn")
    start, told = spawn.Barrier(3), spawn.Queue()
    url = queue.url.render_as_string(hide_password=False).replace("+psycopg", "")
    asking = [spawn.Process(target=rival.ask, args=(url, version, start, told)) for version in (1, 2, 3)]
    for process in asking:
        process.start()
    answers = [told.get(timeout=60) for _ in range(3 * rival.MOMENTS)]
    for process in asking:
        process.join(60)
    for as_of in range(rival.MOMENTS):
        first, *others = [said for moment, said in answers if moment == as_of]
        assert first == others[0] == others[1] and len(first) == rival.FLIGHTS
    with queue.connect() as connection:
        count = select(func.count()).select_from(sql.predictions)
        assert connection.scalar(count) == rival.FLIGHTS * rival.MOMENTS


def test_what_is_packed_is_unpacked_to_the_last_bit() -> None:
    row = np.array([0.1, -0.0, np.nan, np.inf, 1e-320, 2.0**53 + 2, -1])
    assert predictions.unpack(predictions.pack(row)).tobytes() == row.tobytes()


def test_threads_of_one_process_log_side_by_side(own: Served) -> None:
    coming = own.coming()[:24]
    failed: list[Any] = []

    def ask(part: list[dict[str, Any]]) -> None:
        for flight in part:
            answer = own.post({"flights": [{"id": flight["id"]}]})
            if answer.status_code != 200:
                failed.append(answer.text)

    threads = [threading.Thread(target=ask, args=(coming[number::4],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and len(rows_of(own.engine)) == len(coming)
