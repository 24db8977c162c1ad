"""Trains a version and, where a champion serves, compares the two: snapshot, fit, figures, verdict, MLflow, bundle.

The first version serves because there is no other. A later one is fitted without the newest 28 days, on which it is
compared with the champion (docs/promotion.md); what is decided stands in the ledger, in one transaction with what it
changes. Stopped anywhere before that, a training has changed nothing; after it, MLflow's aliases follow (jobs.mirror).
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine
from tqdm import tqdm

from backend import clock
from backend import settings as settings_module
from backend.model import (
    aliases,
    bundle,
    comparison,
    figures,
    lineage,
    recipe,
    registry,
    reproduction,
    snapshot,
    tracking,
    train,
)
from backend.model.bundle import Bundle
from backend.model.recipe import Answers, Made, Recipe
from backend.model.registry import RefusedError
from backend.model.serving import NoChampionError, Serving
from backend.model.snapshot import Snapshot
from backend.model.tracking import TrackingError
from backend.settings import Settings
from backend.store import deployments, ledger, migrate, sql
from backend.store import events as log
from backend.store.blobs import Blobs
from backend.store.deployments import Deployment

Progress = Callable[[float, str], None]
Fence = Callable[[Connection], None]

Ints = npt.NDArray[np.int64]

# Whether a recipe that was promoted is fitted again, on everything, before it serves.
REFIT_PROMOTED = False

logger = logging.getLogger("jobs.training")


class Champion(NamedTuple):
    """What serves now, where something does, or why nothing can."""

    bundle: Bundle | None
    deployment: Deployment | None
    why: str


def run(settings: Settings, params: dict[str, Any], progress: Progress, fence: Fence) -> dict[str, Any]:
    """Train on what was known at `params["until"]` (ISO 8601; default: the data clock). Returns version and verdict.

    `params["actor"]` is who or what asked, `params["job"]` the job's id: a job whose training is in the ledger already
    trains nothing again. `fence(connection)` is called in the transaction that records the version and raises if the
    job is not ours any more. Raises ValueError where nothing can be learned and TrackingError where MLflow cannot be
    used, both in words, which stand in the ledger too.
    """
    engine, actor = sql.open_engine(settings.database_url), params.get("actor", "training")
    with engine.connect() as connection:
        done = ledger.training_by(connection, params["job"]) if params.get("job") else None
        promoted = done is not None and deployments.has_served(connection, done["version"])
    try:
        if done is None:
            done, promoted = _train(settings, engine, params, progress, fence)
    except (ValueError, TrackingError) as error:
        with sql.writing(engine) as connection:
            fence(connection)
            said = {name: params.get(name) for name in ("until", "job")} | {"commit": lineage.commit()}
            summary = f"No version was trained: {error}"
            ledger.decide(connection, "failed", clock.wall(), log.data_clock(connection), actor, summary, said)
        raise
    progress(0.98, "Letting MLflow's aliases follow what serves")
    try:
        aliases.mirror(settings, engine)
    except TrackingError:
        logger.exception("version %s is recorded, but MLflow's aliases do not say so yet", done["version"])
    progress(1.0, f"Version {done['version']} is trained" + (" and serves" if promoted else ""))
    with engine.connect() as connection:
        verdict = ledger.verdict_on(connection, done["version"])
    said = {} if verdict is None else {name: verdict[name] for name in ("champion", "verdict", "sentence")}
    return {"version": done["version"], "promoted": promoted, "metrics": done["metrics"]} | said


def _train(
    settings: Settings, engine: Engine, params: dict[str, Any], progress: Progress, fence: Fence
) -> tuple[dict[str, Any], bool]:
    """The metadata of the new version, which is recorded when this returns, and whether it serves."""
    started = time.monotonic()
    progress(0.0, "Reading the facts")
    tracking.connect(settings)
    with engine.connect() as connection:
        taken = snapshot.take(connection, _moment(connection, params.get("until")))
    blobs = Blobs(settings.blobs)
    how = Recipe(parameters=params.get("parameters", train.PARAMETERS))
    made, learned, answers = _made(taken, how, _champion(engine, blobs).bundle is not None, progress)
    metadata = figures.figures(taken.world, answers, how.seed) | lineage.of(taken, learned, how, clock.wall())
    progress(0.75, "Comparing it with the champion")
    champion, judged = _champion(engine, blobs), None
    if champion.bundle is not None and champion.deployment is not None:
        judged = comparison.judge(taken, champion.bundle, champion.deployment, made.fitted, metadata)
        if judged.verdict == "promote" and params.get("refit", REFIT_PROMOTED):
            made = recipe.make(taken, taken.positions, how, lambda _, message: progress(0.8, message))
            metadata |= lineage.of(taken, taken.positions, how, clock.wall())
    metadata |= {"rows": len(made.rows), "job": params.get("job")}
    progress(0.85, "Logging the run to MLflow")
    run_ = tracking.run_of(metadata, made.fitted, made.rows, made.labels)
    version, run_id = tracking.log_training(settings, made.fitted, run_)
    progress(0.93, f"Writing the bundle of version {version}")
    metadata |= {"run_id": run_id, "duration_seconds": round(time.monotonic() - started, 1)}
    content = bundle.pack(version, metadata, made.fitted.encoder, made.fitted.calibration, made.fitted.trees)
    name = f"bundles/{version}-{bundle.sha256(content)[:12]}.zip"
    blobs.write(name, content)
    metadata |= {"version": version, "bundle": name, "bundle_sha256": bundle.sha256(content)}
    progress(0.96, f"Recording version {version}")
    with sql.writing(engine) as connection:
        fence(connection)
        actor = params.get("actor", "training")
        return metadata, registry.record(connection, metadata, judged, champion.why, actor, clock.wall())


def _made(taken: Snapshot, how: Recipe, rivalled: bool, progress: Progress) -> tuple[Made, Ints, Answers]:
    """The model, the flights that it has learned from, and what it answers about the newest.

    Where a champion serves, the newest are kept for the comparison with it. The first version learns from them too,
    and its figures are those of its rehearsal.
    """

    def part(fraction: float, message: str) -> None:
        progress(0.05 + 0.65 * fraction, message)

    older, newest = snapshot.split(taken, taken.positions)
    if not rivalled:
        made = recipe.make(taken, taken.positions, how, part)
        return made, taken.positions, made.rehearsed
    made = recipe.make(taken, older, how, part)
    snapshot.two_outcomes(taken, newest, "to judge on")
    progress(0.7, f"Asking about the newest {len(newest):,} flights")
    return made, older, recipe.answers(made, newest, snapshot.questions(taken, newest))


def _champion(engine: Engine, blobs: Blobs) -> Champion:
    with engine.connect() as connection:
        deployment = deployments.current(connection)
        try:
            return Champion(Serving(blobs).champion(connection)[0], deployment, "")
        except NoChampionError as error:
            why = "Nothing served before it." if deployment is None else f"Nothing else can serve. {error}"
            return Champion(None, deployment, why)


def _moment(connection: Connection, asked: str | None) -> int:
    """The moment whose knowledge is used, never after the data clock. Raises ValueError where nothing is known."""
    now = log.data_clock(connection)
    if now is None:
        raise ValueError("there are no facts yet: run python -m jobs.ingest first")
    return now if asked is None else min(now, clock.to_epoch(datetime.fromisoformat(asked)))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0, or 1 where training was not possible."""
    parser = argparse.ArgumentParser(prog="python -m jobs.training", description=__doc__)
    parser.add_argument("--until", help="train on what was known then, ISO 8601 (default: the data clock)")
    parser.add_argument(
        "--reproduce",
        type=int,
        metavar="VERSION",
        help="train nothing new, but make that version again and say whether it predicts the same",
    )
    options = parser.parse_args(arguments)
    settings = settings_module.load()
    migrate.upgrade(sql.open_engine(settings.database_url))
    work = _trained if options.reproduce is None else _reproduced
    with tqdm(total=100, bar_format="{desc:<60} {percentage:3.0f}% {elapsed}") as bar:

        def progress(fraction: float, message: str) -> None:
            bar.set_description_str(message)
            bar.n = round(fraction * 100)
            bar.refresh()

        try:
            good, said = work(settings, options, progress)
        except (ValueError, TrackingError, RefusedError) as error:
            good, said = False, f"It cannot be done: {error}"
    print(said, file=sys.stdout if good else sys.stderr)
    return 0 if good else 1


def _trained(settings: Settings, options: argparse.Namespace, progress: Progress) -> tuple[bool, str]:
    result = run(settings, {"until": options.until, "actor": "command line"}, progress, lambda _: None)
    metrics = result["metrics"]
    return True, (
        f"Version {result['version']}: ROC AUC {metrics['auc']:.4f}, Brier {metrics['brier']:.4f}, calibration error "
        f"{metrics['calibration_error']:.4f}, 2 h before departure, on the newest 28 days.\n"
        + result.get("sentence", "There was no champion to compare it with.")
        + (" It serves now." if result["promoted"] else " The champion goes on serving.")
    )


def _reproduced(settings: Settings, options: argparse.Namespace, progress: Progress) -> tuple[bool, str]:
    with sql.open_engine(settings.database_url).connect() as connection:
        made = reproduction.reproduce(connection, Blobs(settings.blobs), options.reproduce, progress)
    return made.equal, "\n".join(made.said)


if __name__ == "__main__":
    sys.exit(main())
