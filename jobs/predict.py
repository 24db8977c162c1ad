"""Scores a file of flights with the champion, no server running: FLIGHTS.csv in, RISKS.csv out; or Parquet in and out.

Columns: carrier, flight, origin, dest, scheduled_departure (ISO 8601 with zone), and if known scheduled_arrival; `id`
alone will do for flights whose schedule is stored. Each row of the input is a row of the output; one that could not be
scored has the reason in `error` in place of a probability. A cell that a spreadsheet would run as a formula gets an
apostrophe before it.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from backend import clock
from backend import settings as settings_module
from backend.model.bulk import Scorer
from backend.model.serving import NoChampionError, Serving
from backend.settings import Settings
from backend.store import events as log
from backend.store import migrate, sql
from backend.store.blobs import Blobs
from jobs import scoring
from jobs.scoring import Tally


def predict(settings: Settings, flights: Path, output: Path, asked_as_of: datetime | None) -> tuple[Tally, int]:
    """Writes `output`, and returns what became of the rows and as of when. Raises NoChampionError, ValueError and
    OSError where nothing can be scored."""
    engine = sql.open_engine(settings.database_url)
    migrate.upgrade(engine)
    with engine.connect() as connection, flights.open("rb") as handle:
        as_of = _moment(connection, asked_as_of)
        scorer = Scorer.now(connection, Serving(Blobs(settings.blobs)), as_of)
        with (
            output.open("wb") as target,
            scoring.files(scoring.format_of(handle), handle, flights.stat().st_size, target) as (source, sink),
        ):
            return scoring.score_file(connection, scorer, source, sink, lambda *_: None), as_of


def _moment(connection: Connection, asked: datetime | None) -> int:
    now = log.data_clock(connection)
    if now is None:
        raise NoChampionError("There are no facts yet: run python -m jobs.ingest.")
    as_of = now if asked is None else clock.to_epoch(asked)
    if as_of > now:
        raise ValueError(f"--as-of is in the future: the data clock stands at {clock.iso(now)}")
    return as_of


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
    try:
        tally, as_of = predict(settings_module.load(), options.flights, options.output, options.as_of)
    except (NoChampionError, ValueError, OSError) as error:
        print(f"Nothing was scored: {error}", file=sys.stderr)
        return 2
    print(f"{tally.scored:,} of {tally.rows:,} flights scored as of {clock.iso(as_of)}; they are in {options.output}")
    for line, reason in tally.errors:
        print(f"  line {line}: {reason}", file=sys.stderr)
    if tally.refused > len(tally.errors):
        print(f"  and {tally.refused - len(tally.errors):,} more: see the column error", file=sys.stderr)
    return (1 if tally.scored else 2) if tally.refused else 0


if __name__ == "__main__":
    sys.exit(main())
