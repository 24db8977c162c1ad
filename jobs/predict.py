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

from sqlalchemy import Connection

from backend import clock
from backend import settings as settings_module
from backend.flights import asked, features
from backend.flights.asked import Fault, Schedule
from backend.model import scoring
from backend.model.serving import NoChampionError, Serving
from backend.store import events as log
from backend.store import migrate, schedules, sql
from backend.store.blobs import Blobs

ADDED = ("as_of", "lead_time_minutes", "probability", "band", "model_version", "error")
CHUNK = 10_000


def score(connection: Connection, serving: Serving, rows: Sequence[dict[str, str]], as_of: int) -> list[dict[str, str]]:
    """Each row with ADDED. Raises NoChampionError where nothing serves."""
    answers = [dict(row) | dict.fromkeys(ADDED, "") | {"as_of": clock.iso(as_of) or ""} for row in rows]
    resolved = schedules.resolve(connection, [asked.from_row(row) for row in rows], as_of)
    good = [(place, found) for place, found in enumerate(resolved) if isinstance(found, Schedule)]
    answer = serving.answer(connection, features.flights_of([schedule.plan for _, schedule in good]), as_of)
    for (place, schedule), probability in zip(good, answer.probability.tolist(), strict=True):
        answers[place] |= {
            "lead_time_minutes": str((schedule.departure - as_of) // clock.MINUTE),
            "probability": repr(probability),
            "band": scoring.band(probability),
            "model_version": str(answer.version),
        }
    for row, found, said in zip(rows, resolved, answers, strict=True):
        if isinstance(found, list):
            said["error"] = "; ".join(_in_words(row, fault) for fault in found)
    return answers


def _in_words(row: dict[str, str], fault: Fault) -> str:
    value = row.get(fault.field)
    return f"{fault.field}: {value} {fault.reason}" if value else f"{fault.field} {fault.reason}"


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
