"""Makes the features of a sample of logged predictions anew from the log as it was, and compares them to the last bit.

A difference is a line in the ledger. A run for the same moment again says the same, and says it once.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from backend import clock, options
from backend import settings as settings_module
from backend.monitoring import skew
from backend.options import Monitoring
from backend.settings import Settings
from backend.store import ledger, migrate, sql
from backend.store.documents import open_documents
from jobs.performance import moment

NAMED = 20  # ids of answers that the ledger names at most


def run(
    settings: Settings,
    params: dict[str, Any],
    progress: Callable[[float, str], None],
    fence: Callable[[Connection], None],
) -> dict[str, Any]:
    """Audit answers of the `days` (default 1) that end at `params["at"]` (ISO 8601; default, and at most: the data
    clock): `sample` of them (default: the setting `audit_sample`), drawn by the moment.

    Returns `at`, how many were `compared`, how many `differ`, how often each of the `features` does, how many were
    `skipped` because they were made with another feature list, and how many logs were `loaded`.
    """
    engine = sql.open_engine(settings.database_url)
    with open_documents(settings.documents) as documents:
        sample = params.get("sample") or options.of(documents, Monitoring).audit_sample
    progress(0.0, "Making features anew")
    with engine.connect() as connection:
        at = moment(connection, params.get("at"))
        found = skew.audit(connection, at - params.get("days", 1) * clock.DAY, at, sample, seed=at)
    told = found._asdict() | {"at": clock.iso(at), "differ": len(found.differ)}
    with sql.writing(engine) as connection:
        fence(connection)
        _tell(connection, told | {"answers": found.differ[:NAMED]}, at, params.get("actor", "audit"))
    return told


def _tell(connection: Connection, evidence: dict[str, Any], at: int, actor: str) -> None:
    """Write differences into the ledger, and the first audit after them that found none."""
    rows = ledger.decisions(connection, "skew", 1)
    before = dict(rows[0].evidence) if rows else {"differ": 0}
    if evidence == before or not (evidence["differ"] or before["differ"]):
        return
    summary = f"{evidence['differ']} of {evidence['compared']} answers were made from other features than the log gives"
    names = ", ".join(list(evidence["features"])[:5])
    summary += f": {names}." if names else "."
    ledger.decide(connection, "skew", clock.wall(), at, actor, summary, evidence)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0 where all is equal, 1 where something differs or there are no facts."""
    parser = argparse.ArgumentParser(prog="python -m jobs.audit", description=__doc__)
    parser.add_argument("--at", help="the end of the days that are looked at, ISO 8601 (default: the data clock)")
    parser.add_argument("--days", type=int, default=1, help="how many (default: 1)")
    parser.add_argument("--sample", type=int, help="how many answers (default: the setting audit_sample)")
    asked = parser.parse_args(arguments)
    settings = settings_module.load()
    migrate.upgrade(sql.open_engine(settings.database_url))
    params = {**vars(asked), "actor": "command line"}
    try:
        found = run(settings, params, lambda *_: None, lambda _: None)
    except ValueError as error:
        print(f"It cannot be done: {error}", file=sys.stderr)
        return 1
    print(
        f"At {found['at']}: {found['compared']} answers compared, {found['differ']} differ {found['features']},"
        f" {found['skipped']} skipped; the log was loaded {found['loaded']} times."
    )
    return 1 if found["differ"] else 0


if __name__ == "__main__":
    sys.exit(main())
