"""Trains a version: snapshot, split by time, baseline and model, figures, MLflow, bundle; the first one serves.

Figures are of the same recipe fitted without the newest 28 days and asked about them; the version itself is fitted on
everything. It replaces nothing: only where there is no champion yet does it become the champion.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection
from tqdm import tqdm

from backend import clock
from backend import settings as settings_module
from backend.clock import DAY, HOUR
from backend.flights import features
from backend.flights.label import FINAL_AFTER
from backend.model import bundle, dataset, evaluate, scoring, tracking, train
from backend.model.dataset import World
from backend.model.serving import NoChampionError, Serving
from backend.model.train import Fitted
from backend.settings import Settings
from backend.store import deployments, ledger, migrate, sql
from backend.store import events as log
from backend.store.blobs import Blobs

Progress = Callable[[float, str], None]
Ints = npt.NDArray[np.int64]

HOLDOUT = 28 * DAY
LEADS_HOURS = (0.5, 2, 6, 24)
HEADLINE_HOURS = 2
SEED = 20130401


def run(settings: Settings, params: dict[str, Any], progress: Progress, fence: Callable[[Connection], None]) -> dict:
    """Train on what was known at `params["until"]` (ISO 8601; default: the data clock). Returns the version's figures.

    `fence(connection)` is called in the transaction that records the version and raises if the job is not ours any
    more. Raises ValueError, in words, when there is too little to learn from.
    """
    started = time.monotonic()
    engine = sql.open_engine(settings.database_url)
    progress(0.0, "Reading the facts")
    with engine.connect() as connection:
        now = log.data_clock(connection)
        if now is None:
            raise ValueError("there are no facts yet: run python -m jobs.ingest first")
        asked = params.get("until")
        until = now if asked is None else min(now, clock.to_epoch(pd.Timestamp(asked).to_pydatetime()))
        here = dataset.load(connection, until)
    positions = here.labelled(until)
    if len(positions) < train.FEWEST_FLIGHTS:
        raise ValueError(
            f"only {len(positions)} flights have a final label at {clock.iso(until)}: at least 500 are needed"
        )
    rng = np.random.default_rng(SEED)
    fitted, figures = _evaluated(here, positions, until, rng, progress)
    progress(0.5, f"Fitting on all {len(positions):,} flights")
    rows, labels = dataset.training_rows(here, positions, rng)
    final = train.fit(rows, labels, SEED)
    final = Fitted(final.encoder, final.classifier, fitted.calibration)
    departures = here.flights.departure[positions]
    metadata = figures | {
        "trained_at": clock.iso(clock.wall()),
        "data_from": clock.iso(departures[0]),
        "data_until": clock.iso(until),
        "seq": here.facts.seq,
        "flights": len(positions),
        "rows": len(rows),
        "base_rate": float(here.disrupted[positions].mean()),
        "data_digest": here.digest(positions),
        "commit": commit(),
        "feature_list": features.VERSION,
    }
    progress(0.85, "Logging the run to MLflow")
    version, run_id = _track(settings, final, rows, labels, metadata)
    metadata |= {"run_id": run_id, "duration_seconds": round(time.monotonic() - started, 1)}
    progress(0.95, "Writing the bundle")
    content = bundle.pack(version, metadata, final.encoder, final.calibration, final.classifier)
    name = f"bundles/{version}-{bundle.sha256(content)[:12]}.zip"
    blobs = Blobs(settings.blobs)
    blobs.write(name, content)
    metadata |= {"version": version, "bundle": name, "bundle_sha256": bundle.sha256(content)}
    with sql.writing(engine) as connection:
        fence(connection)
        promoted = _record(connection, blobs, version, name, metadata, params.get("actor", "training"))
    tracking.set_alias("champion" if promoted else "challenger", version)
    progress(1.0, f"Version {version} is trained" + (" and serves" if promoted else ""))
    return {"version": version, "promoted": promoted, "metrics": metadata["metrics"]}


def _evaluated(
    here: World, positions: Ints, until: int, rng: np.random.Generator, progress: Progress
) -> tuple[Fitted, dict[str, Any]]:
    """The recipe fitted without the newest 28 days of labels, its calibration made on them, and its figures there.

    The calibration that the figures are judged with was fitted on the other half of those days, day by day in turn,
    so that no flight is judged by a map that has seen it.
    """
    departures = here.flights.departure[positions]
    newest = departures >= min(until - FINAL_AFTER - HOLDOUT, departures[0] + (departures[-1] - departures[0]) * 2 // 3)
    older, held_out = positions[~newest], positions[newest]
    # A label may become final after the held-out window opened: those flights are in neither part.
    opens = int(departures[newest].min())
    older = older[here.flights.departure[older] + FINAL_AFTER <= opens]
    progress(0.1, f"Fitting on {len(older):,} flights, without the newest 28 days")
    rows, labels = dataset.training_rows(here, older, rng)
    fitted = train.fit(rows, labels, SEED)
    baseline = train.fit_baseline(rows, labels)
    progress(0.4, f"Asking about the {len(held_out):,} flights of the newest 28 days")
    truth = here.disrupted[held_out]
    odd_day = (here.flights.departure[held_out] // DAY % 2).astype(bool)
    asked = {lead: dataset.rows_at(here, held_out, int(lead * HOUR)) for lead in LEADS_HOURS}
    raw = {lead: fitted.raw_log_odds(rows_) for lead, rows_ in asked.items()}
    pooled, pooled_truth = np.concatenate(list(raw.values())), np.tile(truth, len(LEADS_HOURS))
    pooled_odd = np.tile(odd_day, len(LEADS_HOURS))
    halves = {
        odd: train.fit_calibration(pooled[pooled_odd != odd], pooled_truth[pooled_odd != odd]) for odd in (True, False)
    }
    probability = {
        lead: scoring.sigmoid(np.where(odd_day, halves[True].apply(raw_), halves[False].apply(raw_)))
        for lead, raw_ in raw.items()
    }
    headline = probability[HEADLINE_HOURS]
    by_lead = [
        {"lead_hours": lead, **evaluate.metrics(truth, probability_)} for lead, probability_ in probability.items()
    ]
    figures = {
        "metrics": evaluate.metrics(truth, headline),
        "baseline": evaluate.metrics(truth, train.baseline_probability(baseline, asked[HEADLINE_HOURS])),
        "by_lead": by_lead,
        "calibration": evaluate.calibration(truth, headline),
        "roc": evaluate.roc(truth, headline),
        "evaluated_on": {
            "from": clock.iso(here.flights.departure[held_out].min()),
            "until": clock.iso(here.flights.departure[held_out].max()),
            "flights": len(held_out),
            "lead_hours": HEADLINE_HOURS,
        },
    }
    calibration = train.fit_calibration(pooled, pooled_truth)
    return Fitted(fitted.encoder, fitted.classifier, calibration), figures


def _track(
    settings: Settings, fitted: Fitted, rows: npt.NDArray[np.float64], labels: Ints, metadata: dict[str, Any]
) -> tuple[int, str]:
    tracking.connect(settings)
    metrics = {f"{name}_2h": value for name, value in metadata["metrics"].items()}
    metrics |= {f"baseline_{name}_2h": value for name, value in metadata["baseline"].items()}
    for lead in metadata["by_lead"]:
        metrics |= {f"{name}_{lead['lead_hours']}h": lead[name] for name in ("auc", "brier", "calibration_error")}
    metrics |= {"flights": metadata["flights"], "rows": metadata["rows"], "base_rate": metadata["base_rate"]}
    parameters = dict(train.PARAMETERS) | {
        "seed": SEED,
        "calibration_slope": fitted.calibration.slope,
        "calibration_intercept": fitted.calibration.intercept,
        "data_from": metadata["data_from"],
        "data_until": metadata["data_until"],
        "features": len(features.names()),
    }
    documents = {
        "calibration.json": {"bins": metadata["calibration"]},
        "roc.json": {"points": metadata["roc"]},
        "by_lead.json": {"leads": metadata["by_lead"]},
        "features.json": {"version": features.VERSION, "names": list(features.names())},
    }
    tags = {
        "data_digest": metadata["data_digest"],
        "data_source": f"event log up to seq {metadata['seq']}",
        "commit": metadata["commit"],
        "feature_list": features.VERSION,
    }
    example = pd.DataFrame(rows[:1000], columns=list(features.names())).assign(disrupted=labels[:1000].astype(float))
    return tracking.log_training(fitted, parameters, metrics, documents, tags, example)


def _record(
    connection: Connection, blobs: Blobs, version: int, name: str, metadata: dict[str, Any], actor: str
) -> bool:
    """Write the training into the ledger and, where nothing serves yet, let it serve; returns whether it does."""
    now, data_at = clock.wall(), log.data_clock(connection)
    auc, brier = metadata["metrics"]["auc"], metadata["metrics"]["brier"]
    summary = (
        f"Version {version} was trained on {metadata['flights']:,} flights: AUC {auc:.3f}, Brier {brier:.4f} at 2 h."
    )
    ledger.decide(connection, "trained", now, data_at, actor, summary, metadata)
    try:
        Serving(blobs).champion(connection)
        return False
    except NoChampionError as error:
        why = f"Version {version} becomes the champion, since nothing else serves: {error}"
    decision = ledger.decide(connection, "promoted", now, data_at, actor, why, {"version": version})
    deployments.deploy(connection, version, name, metadata["bundle_sha256"], now, data_at, decision)
    return True


def commit() -> str:
    """The git commit of the code that runs, with "+" where files differ from it; "unknown" outside a checkout."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    said = [
        subprocess.run([git, *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
        for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain"))
    ]
    if said[0].returncode:
        return "unknown"
    return said[0].stdout.strip() + ("+" if said[1].stdout.strip() else "")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0, or 1 where training was not possible."""
    parser = argparse.ArgumentParser(prog="python -m jobs.training", description=__doc__)
    parser.add_argument("--until", help="train on what was known then, ISO 8601 (default: the data clock)")
    options = parser.parse_args(arguments)
    settings = settings_module.load()
    engine = sql.open_engine(settings.database_url)
    migrate.upgrade(engine)
    with tqdm(total=100, bar_format="{desc:<60} {percentage:3.0f}% {elapsed}") as bar:

        def progress(fraction: float, message: str) -> None:
            bar.set_description_str(message)
            bar.n = round(fraction * 100)
            bar.refresh()

        try:
            result = run(settings, {"until": options.until, "actor": "command line"}, progress, lambda _: None)
        except ValueError as error:
            print(f"No version was trained: {error}", file=sys.stderr)
            return 1
    metrics = result["metrics"]
    print(
        f"Version {result['version']}: ROC AUC {metrics['auc']:.4f}, Brier {metrics['brier']:.4f}, calibration error "
        f"{metrics['calibration_error']:.4f}, 2 h before departure, on the newest 28 days.\n"
        + ("It is the first champion and serves." if result["promoted"] else "The champion goes on serving.")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
