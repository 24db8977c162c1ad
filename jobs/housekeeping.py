"""Deletes what is past its time by the settings `retention`, and lets the database shrink. It may run at any time, and
again."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

from backend import clock, options
from backend import settings as settings_module
from backend.monitoring import answered
from backend.options import Retention
from backend.settings import Settings
from backend.store import batches, migrate, performance, retention, sql
from backend.store import events as log
from backend.store.blobs import Blobs
from backend.store.documents import open_documents
from backend.store.retention import Part
from jobs.performance import LOOK_BACK

LOST_AFTER = 6 * clock.HOUR  # an upload that is no job's by then never will be
REST_SECONDS = 0.02  # at least, after each transaction: who waits for SQLite's write lock looks now and then only


class Bound(NamedTuple):
    """Which answers go: as of a moment before `before`; and a sentence where that is earlier than the setting says."""

    before: int
    sentence: str | None = None


def run(
    settings: Settings,
    _params: dict[str, Any],
    progress: Callable[[float, str], None],
    fence: Callable[[Connection], None],
) -> dict[str, Any]:
    """Deletes what the settings `retention` keep no longer, by the wall clock, and answers by the data clock.

    Returns how many rows of each kind went, of how many batches the files went, by how many bytes an SQLite file
    shrank, and a sentence where answers stay longer than the setting says. The facts, the ledger, deployments and the
    figures of performance stay.
    """
    engine, blobs = sql.open_engine(settings.database_url), Blobs(settings.blobs)
    with open_documents(settings.documents) as documents:
        how, now = options.of(documents, Retention), clock.wall()
    results_since, jobs_since = (now - int(days * clock.DAY) for days in (how.results_days, how.jobs_days))

    def in_parts(part: Part) -> int:
        return _in_parts(engine, part, fence)

    try:
        progress(0.0, "Deleting files of batches")
        files = batches.sweep(engine, blobs, now - LOST_AFTER, max(results_since, jobs_since))
        with engine.connect() as connection:
            bound = bound_of_answers(connection, int(how.predictions_days * clock.DAY))
        parts = {
            "jobs": retention.ended_jobs(jobs_since),
            "sessions": retention.over_sessions(now),
            "api_tokens": retention.over_api_tokens(now),
            "counters": retention.closed_counters(now),
            "receipts": retention.old_receipts(now),
            "predictions": retention.answers(bound.before, now - int(how.predictions_days * clock.DAY)),
        }
        gone: dict[str, int] = {}
        for place, (table, part) in enumerate(parts.items(), start=1):
            progress(0.15 * place, f"Deleting {table}")
            gone[table] = in_parts(part)
        progress(0.9, "Giving room back")
        freed = retention.give_back(engine, [table for table, count in gone.items() if count], in_parts)
    finally:
        engine.dispose()
    return {"deleted": gone | {"files": files}, "freed_bytes": freed, "kept": bound.sentence}


def bound_of_answers(connection: Connection, kept_seconds: int) -> Bound:
    """Answers go after that time, but none that jobs.performance has not judged yet, or may still read again."""
    now = log.data_clock(connection)
    if now is None:
        return Bound(0)
    judged = max(performance.complete_days(connection, ""), default=None)
    if judged is None:
        return Bound(0, "All answers stay, since the performance of none has been judged yet.")
    # A day is looked at again for LOOK_BACK days, and then in a window as long as that.
    needed = answered.earliest(answered.day_number(judged) + 2 - 2 * LOOK_BACK)
    if needed < now - kept_seconds:
        return Bound(needed, f"Answers as of {clock.iso(needed)} and later stay: performance is judged up to {judged}.")
    return Bound(now - kept_seconds)


def _in_parts(engine: Engine, part: Part, fence: Callable[[Connection], None]) -> int:
    """Does it until nothing is left to do, in transactions of its own while the claim holds; returns the sum."""
    total = 0
    while True:
        with sql.writing(engine) as connection:
            began = time.monotonic()
            fence(connection)
            done = part(connection)
        if not done:
            return total
        total += done
        time.sleep(max(REST_SECONDS, time.monotonic() - began))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0."""
    argparse.ArgumentParser(prog="python -m jobs.housekeeping", description=__doc__).parse_args(arguments)
    settings = settings_module.load()
    migrate.upgrade(sql.open_engine(settings.database_url))
    found = run(settings, {}, lambda *_: None, lambda _: None)
    gone = ", ".join(f"{count:,} {what}" for what, count in found["deleted"].items())
    print(f"Deleted: {gone}; the file of the database shrank by {found['freed_bytes']:,} bytes. {found['kept'] or ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
