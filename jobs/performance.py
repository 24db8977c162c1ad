"""Joins outcomes to the logged answers as they become final: figures by day and trailing window, and one verdict on
the champion, which asks for a training where quality is down. A run for the same moment again changes nothing."""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from backend import clock, options
from backend import settings as settings_module
from backend.model import registry
from backend.monitoring import answered, performance, quality, retraining
from backend.monitoring.answered import HEADLINE, Answered
from backend.monitoring.performance import SPANS, Part
from backend.monitoring.quality import Quality
from backend.monitoring.retraining import Request
from backend.options import Costs, Monitoring, Retraining
from backend.settings import Settings
from backend.store import deployments, ledger, migrate, sql
from backend.store import events as log
from backend.store import performance as store
from backend.store.documents import open_documents

LOOK_BACK = 28  # days in which a day that lacks figures, or whose outcomes were corrected, is still taken up


def run(
    settings: Settings,
    params: dict[str, Any],
    progress: Callable[[float, str], None],
    fence: Callable[[Connection], None],
) -> dict[str, Any]:
    """Take up what is final at `params["at"]` (ISO 8601; default, and at most: the data clock).

    A day gets its figures once it is complete, and again where its outcomes were corrected within LOOK_BACK days; a
    trailing window says for ever what was known when its last day was complete. Returns `at`, the `days` that were
    taken up, the number of `rows` written, and the verdict: `down` and `sentence`, None where nothing serves.
    """
    engine = sql.open_engine(settings.database_url)
    with open_documents(settings.documents) as documents:
        costs, watch = options.of(documents, Costs), options.of(documents, Monitoring)
    causes = options.of(documents, Retraining)
    progress(0.0, "Joining outcomes to answers")
    with engine.connect() as connection:
        at = moment(connection, params.get("at"))
        newest = answered.complete_day(at)
        said = answered.read(connection, newest - LOOK_BACK + 1, at)
        have = store.complete_days(connection, answered.day_name(newest - LOOK_BACK + 1))
        days = _to_take_up(said, newest, {answered.day_number(day): seq for day, seq in have.items()})
        missing = [day for day in days if answered.day_name(day) not in have]
        longer = said
        if missing and missing[0] < newest:  # runs that were missed: their windows reach further back
            longer = answered.read(connection, missing[0] - LOOK_BACK + 1, at)
        verdict = _verdict(connection, said, newest, watch)
    progress(0.3, f"Figures of {len(days)} days")
    parts = [part for day in days for part in performance.of_day(said, day, costs)]
    for day in sorted({*missing, newest}):
        for span in SPANS:
            parts += performance.trailing(longer, day, span, costs)
    for day in sorted({*said.day[said.day > newest].tolist()}):
        parts += performance.before_outcomes(said, day)
    with sql.writing(engine) as connection:
        fence(connection)
        store.record(connection, [_row(part, at, newest, verdict) for part in parts])
        if verdict is not None:
            _tell(connection, verdict, at, params.get("actor", "performance"))
            if verdict.down and causes.by_verdict:
                why = f"quality is down with version {verdict.numbers['version']}"
                asked = Request(retraining.PERFORMANCE, "performance", why, evidence=verdict.numbers, patient=True)
                retraining.request(connection, asked, causes, clock.wall())
    told = {"down": None, "sentence": None} if verdict is None else {"down": verdict.down, "sentence": verdict.sentence}
    return {"at": clock.iso(at), "days": [answered.day_name(day) for day in days], "rows": len(parts), **told}


def moment(connection: Connection, asked: str | None) -> int:
    """The moment whose knowledge is used, never after the data clock. Raises ValueError where nothing is known."""
    now = log.data_clock(connection)
    if now is None:
        raise ValueError("there are no facts yet: run python -m jobs.ingest first")
    return now if asked is None else min(now, clock.to_epoch(datetime.fromisoformat(asked)))


def _to_take_up(said: Answered, newest: int, have: dict[int, int]) -> list[int]:
    """The complete days whose figures are not there, or whose newest outcome is not in them."""
    found = []
    for day in sorted({*said.day[said.day <= newest].tolist()}):
        newest_outcome = int(said.outcome_seq[said.day == day].max(initial=0))
        if have.get(day) != newest_outcome:
            found.append(day)
    return found


def _row(part: Part, at: int, newest: int, verdict: Quality | None) -> dict[str, Any]:
    said, mine = part.said, (part.span, part.slice, part.lead_minutes, part.day) == ("28d", "all", HEADLINE, newest)
    if mine and verdict is not None:
        said = said | {"quality": {"down": verdict.down, "sentence": verdict.sentence, **verdict.numbers}}
    return part._asdict() | {"day": answered.day_name(part.day), "judged_at": at, "said": said}


def _verdict(connection: Connection, said: Answered, day: int, watch: Monitoring) -> Quality | None:
    serving = deployments.current(connection)
    if serving is None:
        return None
    trained = registry.described(connection, serving)
    before = _told(connection)
    was_down = bool(before.get("down")) and before.get("version") == serving.version
    return quality.judge(said, day, trained, watch.brier_margin, was_down)


def _told(connection: Connection) -> dict[str, Any]:
    """What the ledger says of quality: the evidence of the newest verdict, or nothing."""
    rows = ledger.decisions(connection, "performance", 1)
    return dict(rows[0].evidence) if rows else {}


def _tell(connection: Connection, verdict: Quality, at: int, actor: str) -> None:
    """Write the verdict into the ledger where it is another than before; too little to tell ends another version's."""
    before = _told(connection)
    down = verdict.down
    if down is None:
        down = bool(before.get("down")) and before.get("version") == verdict.numbers["version"]
    if down != bool(before.get("down")):
        evidence = {"down": down, **verdict.numbers}
        ledger.decide(connection, "performance", clock.wall(), at, actor, verdict.sentence, evidence)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0, or 1 where there are no facts."""
    parser = argparse.ArgumentParser(prog="python -m jobs.performance", description=__doc__)
    parser.add_argument("--at", help="what was known then, ISO 8601 (default: the data clock)")
    asked = parser.parse_args(arguments)
    settings = settings_module.load()
    migrate.upgrade(sql.open_engine(settings.database_url))
    try:
        found = run(settings, {"at": asked.at, "actor": "command line"}, lambda *_: None, lambda _: None)
    except ValueError as error:
        print(f"It cannot be done: {error}", file=sys.stderr)
        return 1
    print(f"At {found['at']}: {len(found['days'])} days taken up. {found['sentence'] or 'No version serves.'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
