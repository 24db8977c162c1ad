"""Scores a file of flights with the champion, no server running: FLIGHTS.csv in, RISKS.csv out.

Columns: carrier, flight, origin, dest, scheduled_departure (ISO 8601 with zone), and if known scheduled_arrival; `id`
alone will do for flights whose schedule is stored. Each row of the input is a row of the output; one that could not be
scored has the reason in `error` in place of a probability.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select

from backend import clock
from backend import settings as settings_module
from backend.flights import features
from backend.model import scoring
from backend.model.serving import NoChampionError, Serving
from backend.store import events as log
from backend.store import migrate, sql
from backend.store.blobs import Blobs

ADDED = ("as_of", "lead_time_minutes", "probability", "band", "model_version", "error")
CHUNK = 10_000

Schedule = tuple[str, int, str, str, int, int | None]


def score(connection: Connection, serving: Serving, rows: Sequence[dict[str, str]], as_of: int) -> list[dict[str, str]]:
    """Each row with ADDED. Raises NoChampionError where nothing serves."""
    places = set(connection.scalars(select(sql.airports.c.code)))
    schedules: list[Schedule] = []
    scored: list[int] = []
    answers = [dict(row) | dict.fromkeys(ADDED, "") | {"as_of": clock.iso(as_of) or ""} for row in rows]
    for position, row in enumerate(rows):
        try:
            schedules.append(_schedule(connection, row, places, as_of))
            scored.append(position)
        except ValueError as error:
            answers[position]["error"] = str(error)
    answer = serving.answer(connection, features.flights_of(schedules), as_of)
    for position, schedule, probability in zip(scored, schedules, answer.probability.tolist(), strict=True):
        answers[position] |= {
            "lead_time_minutes": str((schedule[4] - as_of) // clock.MINUTE),
            "probability": repr(probability),
            "band": scoring.band(probability),
            "model_version": str(answer.version),
        }
    return answers


def _schedule(connection: Connection, row: dict[str, str], places: set[str], as_of: int) -> Schedule:
    """The row's schedule. Raises ValueError, in words, for a row that cannot be asked about."""
    table = sql.flights.c
    stored = (table.carrier, table.number, table.origin, table.dest, table.scheduled_departure, table.scheduled_arrival)
    if row.get("id"):
        found = connection.execute(select(*stored).where(table.id == row["id"])).first()
        if found is None:
            raise ValueError(f"id: {row['id']} is no flight whose schedule is stored")
        schedule: Schedule = tuple(found)
    else:
        missing = [name for name in ("carrier", "flight", "origin", "dest", "scheduled_departure") if not row.get(name)]
        if missing:
            raise ValueError(f"{', '.join(missing)}: no value")
        if not row["flight"].isdecimal() or not 0 < int(row["flight"]) <= 9999:
            raise ValueError(f"flight: {row['flight']} is no flight number, 1 to 9999")
        departure, arrival = _time(row, "scheduled_departure"), None
        if row.get("scheduled_arrival"):
            arrival = _time(row, "scheduled_arrival")
            if not departure < arrival <= departure + clock.DAY:
                raise ValueError("scheduled_arrival: is not within 24 hours after the scheduled departure")
        schedule = (row["carrier"], int(row["flight"]), row["origin"], row["dest"], departure, arrival)
        same = (table.scheduled_departure == departure) & (table.carrier == schedule[0])
        same &= (table.number == schedule[1]) & (table.origin == schedule[2])
        found = connection.execute(select(*stored).where(same)).first()
        if found is not None and arrival is None and found.dest == schedule[3]:
            schedule = tuple(found)
    for name, code in (("origin", schedule[2]), ("dest", schedule[3])):
        if code not in places:
            raise ValueError(f"{name}: {code} is not a known airport")
    if not schedule[0].isascii() or not 2 <= len(schedule[0]) <= 3:
        raise ValueError(f"carrier: {schedule[0]} is no carrier's code")
    if not as_of <= schedule[4] <= as_of + features.LONGEST_LEAD:
        raise ValueError(f"scheduled_departure: is not within 24 hours after {clock.iso(as_of)}")
    return schedule


def _time(row: dict[str, str], name: str) -> int:
    try:
        return clock.to_epoch(datetime.fromisoformat(row[name]))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name}: {row[name]} is no ISO 8601 time with its zone, like 2013-04-01T09:15:00Z") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0 if every row was scored, 1 if some could not be, 2 if none could."""
    parser = argparse.ArgumentParser(prog="python -m jobs.predict", description=__doc__)
    parser.add_argument("flights", type=Path, metavar="FLIGHTS.csv")
    parser.add_argument("--output", type=Path, required=True, metavar="RISKS.csv")
    parser.add_argument(
        "--as-of", type=datetime.fromisoformat, help="whose knowledge is used (default: the data clock)"
    )
    options = parser.parse_args(arguments)
    if options.output.exists() and options.flights.exists() and options.output.samefile(options.flights):
        parser.error("--output is the file of the flights itself: choose another")
    settings = settings_module.load()
    engine = sql.open_engine(settings.database_url)
    migrate.upgrade(engine)
    serving = Serving(Blobs(settings.blobs))
    refused: list[tuple[int, str]] = []
    count = 0
    try:
        with (
            options.flights.open(newline="", encoding="utf-8-sig") as source,
            options.output.open("w", newline="", encoding="utf-8") as target,
            engine.connect() as connection,
        ):
            now = log.data_clock(connection)
            if now is None:
                raise NoChampionError("There are no facts yet: run python -m jobs.ingest.")
            as_of = now if options.as_of is None else clock.to_epoch(options.as_of)
            if as_of > now:
                raise ValueError(f"--as-of is in the future: the data clock stands at {clock.iso(now)}")
            reader = csv.DictReader(source, restval="")
            known = [name for name in reader.fieldnames or [] if name not in ADDED]
            writer = csv.DictWriter(target, [*known, *ADDED], extrasaction="ignore")
            writer.writeheader()
            rows = list(reader)
            for start in range(0, len(rows), CHUNK):
                answers = score(connection, serving, rows[start : start + CHUNK], as_of)
                writer.writerows(answers)
                # The header is line 1.
                lines = enumerate(answers, start=start + 2)
                refused += [(line, answer["error"]) for line, answer in lines if answer["error"]]
            count = len(rows)
    except (NoChampionError, ValueError, OSError, csv.Error) as error:
        print(f"Nothing was scored: {error}", file=sys.stderr)
        return 2
    print(
        f"{count - len(refused):,} of {count:,} flights scored as of {clock.iso(as_of)}; they are in {options.output}"
    )
    for line, reason in refused[:20]:
        print(f"  line {line}: {reason}", file=sys.stderr)
    if len(refused) > 20:
        print(f"  and {len(refused) - 20:,} more: see the column error", file=sys.stderr)
    return (2 if len(refused) == count else 1) if refused else 0


if __name__ == "__main__":
    sys.exit(main())
