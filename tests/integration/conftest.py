"""What the tests of the serving side share."""

import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from backend.flights.sources import nycflights13
from backend.monitoring import logs
from backend.store import migrate, sql
from jobs import ingest
from tests.conftest import World
from tests.integration.heard import Heard
from tests.integration.served import Served


@pytest.fixture(name="served", scope="session")
def make_served(world: World, password_hash: str) -> Served:
    """The API over the world that is only read."""
    return Served.over(world, password_hash)


@pytest.fixture(name="first_quarter", scope="session")
def make_first_quarter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A research store: every eighth flight number of January to March, with their weather and every outcome."""
    database = tmp_path_factory.mktemp("research") / "research.db"
    engine = sql.open_engine(f"sqlite:///{database}")
    migrate.upgrade(engine)
    frame = nycflights13.flights_until(date(2013, 4, 1))
    thinned = frame[frame["flight"] % 8 == 0]
    until = ingest.cut(date(2013, 4, 15))
    weather = nycflights13.read_weather()
    weather = weather._replace(events=[event for event in weather.events if event.known_at <= until])
    ingest.ingest(engine, [weather, nycflights13.read(thinned)], until, quiet=True)
    engine.dispose()
    return database


@pytest.fixture(name="heard")
def listen() -> Iterator[Heard]:
    """All that is logged during the test, in the form in which it is kept."""
    heard = Heard()
    handler = logging.StreamHandler(heard.stream)
    handler.setFormatter(logs.JsonLines("api"))
    level = logging.root.level
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.DEBUG)
    yield heard
    logging.root.removeHandler(handler)
    logging.root.setLevel(level)
