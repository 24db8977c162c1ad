"""Compares the champion with the version before it on what has happened since it began to serve, and rolls back if it
is worse, by the same test that promoted it. Each look is in the ledger."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from backend import clock
from backend import settings as settings_module
from backend.model import aliases, comparison, registry, snapshot
from backend.model.registry import RefusedError
from backend.model.tracking import TrackingError
from backend.settings import Settings
from backend.store import deployments, ledger, migrate, sql
from backend.store import events as log
from backend.store.blobs import Blobs

logger = logging.getLogger("jobs.guard")


def run(
    settings: Settings,
    params: dict[str, Any],
    progress: Callable[[float, str], None],
    fence: Callable[[Connection], None],
) -> dict[str, Any]:
    """Look once. Returns the verdict on going back (`promote` means that the previous version is better), its sentence
    and whether it was done; `verdict` is None where no version served before.

    `params["actor"]` is who or what asked. Raises RefusedError where a bundle of the two cannot be loaded, or another
    version began to serve meanwhile.
    """
    engine, blobs, actor = sql.open_engine(settings.database_url), Blobs(settings.blobs), params.get("actor", "guard")
    progress(0.0, "Reading what has happened since the champion began to serve")
    with engine.connect() as connection:
        serving, now = deployments.current(connection), log.data_clock(connection)
        before = None if serving is None else deployments.before(connection, serving.id)
        if serving is None or before is None or now is None:
            return {"verdict": None, "sentence": "No version served before the champion.", "rolled_back": False}
        champion, previous = (
            registry.servable(blobs, registry.described(connection, one)) for one in (serving, before)
        )
        since = serving.data_at or 0
        taken = snapshot.take(connection, now, since=since)
    positions = comparison.unseen(taken, taken.positions, champion.metadata, previous.metadata)
    progress(0.3, f"Asking both about {len(positions):,} flights")
    verdict = comparison.compare(taken, positions, champion, previous)
    sentence = (
        f"Since version {serving.version} serves, with version {before.version} before it as the challenger: "
        f"{verdict.sentence}"
    )
    evidence = verdict._asdict() | {
        "window": comparison.about(taken, positions),
        "data_digest": taken.digest,
        "seq": taken.seq,
    }
    worse = verdict.verdict == "promote"
    with sql.writing(engine) as connection:
        fence(connection)
        if worse:
            registry.roll_back(connection, blobs, actor, sentence, clock.wall(), serving.version, evidence)
        else:
            said = {"version": serving.version, "previous": before.version} | evidence
            ledger.decide(connection, "guarded", clock.wall(), now, actor, sentence, said)
    if worse:
        progress(0.9, "Letting MLflow's aliases follow what serves")
        try:
            aliases.mirror(settings, engine)
        except TrackingError:
            logger.exception("version %s serves again, but MLflow's aliases do not say so yet", before.version)
    return {"verdict": verdict.verdict, "sentence": sentence, "rolled_back": worse}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0, or 1 where the two could not be compared."""
    argparse.ArgumentParser(prog="python -m jobs.guard", description=__doc__).parse_args(arguments)
    settings = settings_module.load()
    migrate.upgrade(sql.open_engine(settings.database_url))
    try:
        found = run(settings, {"actor": "command line"}, lambda *_: None, lambda _: None)
    except RefusedError as error:
        print(f"Nothing was compared, and what serves serves: {error}", file=sys.stderr)
        return 1
    print(found["sentence"] + (" It was rolled back." if found["rolled_back"] else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
