"""What a soak has promised its clients, against what is stored, once nobody asks any more."""

from collections.abc import Iterator

import numpy as np
from sqlalchemy import Connection, Engine, select

from backend.flights import features
from backend.flights.events import split_flight_id
from backend.model.serving import Serving
from backend.settings import Settings
from backend.store import sql
from backend.store.blobs import Blobs
from tests.soak.load import Kept

MADE_AGAIN = 200  # answers whose features and probability are made anew
CLOCKS_DIFFER_SECONDS = 2  # a deployment's time has whole seconds, and a request that was under way keeps its version


def faults(settings: Settings, engine: Engine, account: str, kept: Kept) -> Iterator[str]:
    """A sentence for each thing that is missing or is not what was answered."""
    with engine.connect() as connection:
        yield from _missing_answers(connection, account, kept)
        yield from _missing_events(connection, kept)
        yield from _versions_that_did_not_serve(connection, kept)
        yield from _answers_that_facts_do_not_give(settings, connection, kept)


def _missing_answers(connection: Connection, account: str, kept: Kept) -> Iterator[str]:
    log = sql.predictions.c
    columns = (log.flight, log.as_of, log.probability, log.version, log.seq)
    rows = connection.execute(select(*columns).where(log.account == account, log.variant == ""))
    logged = {(row.flight, row.as_of): (row.probability, row.version, row.seq) for row in rows}
    for key, told in kept.answers.items():
        if logged.get(key) != told[:3]:
            yield f"{key} was answered with {told[:3]}, and the log has {logged.get(key)}"


def _missing_events(connection: Connection, kept: Kept) -> Iterator[str]:
    log = sql.events.c
    there = {(row.subject, bytes(row.digest)) for row in connection.execute(select(log.subject, log.digest))}
    for event in kept.events:
        if (event.subject, event.digest) not in there:
            yield f"{event} was accepted and is not in the log"


def _versions_that_did_not_serve(connection: Connection, kept: Kept) -> Iterator[str]:
    table = sql.deployments.c
    starts = [*connection.execute(select(table.since, table.version).order_by(table.id))]
    ends = [*(since for since, _ in starts[1:]), float("inf")]
    for key, told in kept.answers.items():
        served = {
            version
            for (since, version), end in zip(starts, ends, strict=True)
            if since - CLOCKS_DIFFER_SECONDS <= told.came and told.sent <= end + CLOCKS_DIFFER_SECONDS
        }
        if told.version not in served:
            yield f"{key} was answered by version {told.version} while {sorted(served)} served"


def _answers_that_facts_do_not_give(settings: Settings, connection: Connection, kept: Kept) -> Iterator[str]:
    """Some of the answers, evenly over the time, made anew from what is in the event log."""
    serving, keys = Serving(Blobs(settings.blobs)), sorted(kept.answers, key=lambda key: key[1])
    schedule = select(sql.flights.c.dest, sql.flights.c.scheduled_departure, sql.flights.c.scheduled_arrival)
    for key in keys[:: max(1, len(keys) // MADE_AGAIN)]:
        flight, as_of = key
        _, carrier, number, origin = split_flight_id(flight)
        plan = connection.execute(schedule.where(sql.flights.c.id == flight)).one()
        asked = features.flights_of([(carrier, number, origin, *plan)])
        rows = features.build(asked, np.array([as_of]), serving.history(connection, as_of))
        again = float(serving.version(connection, kept.answers[key].version).probability(rows)[0])
        if again != kept.answers[key].probability:
            yield f"{key} was answered with {kept.answers[key].probability}, and its facts give {again}"
