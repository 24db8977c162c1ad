"""How a version is made from flights: a rehearsal without the newest of them, by which it is calibrated, then the fit.

The same recipe, seed and flights give the same model again (jobs/training.py --reproduce).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline

from backend.clock import DAY
from backend.model import dataset, scoring, train
from backend.model import snapshot as snapshots
from backend.model.scoring import Calibration
from backend.model.snapshot import HEADLINE_HOURS, LEADS_HOURS, Snapshot
from backend.model.train import Fitted

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Progress = Callable[[float, str], None]

SEED = 20130401


@dataclass(frozen=True)
class Recipe:
    """What, beside the flights, decides which model it will be."""

    seed: int = SEED
    parameters: Mapping[str, Any] = field(default_factory=lambda: train.PARAMETERS)


class Answers(NamedTuple):
    """What was answered about flights: `positions` (n,), probabilities (n,) by lead time in hours, and the
    baseline's two hours before departure."""

    positions: Ints
    by_lead: dict[float, Floats]
    baseline: Floats


class Made(NamedTuple):
    """A model, the rows of shape (m, f) and labels (m,) that it was fitted on, the baseline of the same rows, and
    what the rehearsal answered about the newest flights, which it had not seen."""

    fitted: Fitted
    rows: Floats
    labels: Ints
    baseline: Pipeline
    rehearsed: Answers


def make(taken: Snapshot, positions: Ints, recipe: Recipe, progress: Progress) -> Made:
    """The model of those flights. `progress` gets fractions from 0 to 1.

    Raises ValueError, in words, where they are too few or too much alike.
    """
    snapshots.learnable(taken, positions)
    older, newest = snapshots.split(taken, positions)
    snapshots.two_outcomes(taken, newest, "to calibrate on")
    progress(0.0, f"Rehearsing on {len(older):,} flights, without the newest {len(newest):,}")
    rows, labels = _rows(taken, older, recipe)
    rehearsal = train.fit(rows, labels, recipe.seed, recipe.parameters)
    baseline = train.fit_baseline(rows, labels)
    progress(0.25, f"Calibrating on the newest {len(newest):,} flights")
    asked = snapshots.questions(taken, newest)
    raw = {lead: rehearsal.raw_log_odds(rows_) for lead, rows_ in asked.items()}
    usual = float(labels.mean())
    calibration, by_lead = calibrated(taken.departures(newest), taken.world.disrupted[newest], raw, usual)
    rehearsed = Answers(newest, by_lead, train.baseline_probability(baseline, asked[HEADLINE_HOURS]))
    del asked, rows
    progress(0.4, f"Fitting on {len(positions):,} flights")
    rows, labels = _rows(taken, positions, recipe)
    final = train.fit(rows, labels, recipe.seed, recipe.parameters)
    fitted = replace(final, calibration=calibration)
    return Made(fitted, rows, labels, train.fit_baseline(rows, labels), rehearsed)


def answers(made: Made, positions: Ints, asked: dict[float, Floats]) -> Answers:
    """What a model answers to `snapshot.questions` about those flights."""
    by_lead = {lead: made.fitted.probability(rows) for lead, rows in asked.items()}
    return Answers(positions, by_lead, train.baseline_probability(made.baseline, asked[HEADLINE_HOURS]))


def _rows(taken: Snapshot, positions: Ints, recipe: Recipe) -> tuple[Floats, Ints]:
    return dataset.training_rows(taken.world, positions, np.random.default_rng(recipe.seed))


def calibrated(
    departures: Ints, disrupted: Ints, raw: Mapping[float, Floats], usual: float
) -> tuple[Calibration, dict[float, Floats]]:
    """The calibration made on the newest flights, and probabilities for them from calibrations that had not seen them.

    `departures` and `disrupted` are those flights', shape (n,), `raw` the rehearsal's log-odds (n,) at each of
    LEADS_HOURS, and `usual` how often the flights that it learned from were disrupted. The probabilities' calibrations
    are made on every other day, so that no flight is judged by a map that it had a part in.
    """
    truth = np.tile(disrupted, len(LEADS_HOURS))
    odd_day = (departures // DAY % 2).astype(bool)
    odd, pooled = np.tile(odd_day, len(LEADS_HOURS)), np.concatenate([raw[hours] for hours in LEADS_HOURS])
    lead = np.repeat(np.array(LEADS_HOURS) / 24, len(departures))
    on_odd, on_even, on_all = (
        train.fit_calibration(pooled[part], lead[part], truth[part], usual) for part in (odd, ~odd, slice(None))
    )
    crossed = scoring.sigmoid(np.where(odd, on_even.apply(pooled, lead), on_odd.apply(pooled, lead)))
    return on_all, dict(zip(LEADS_HOURS, np.split(crossed, len(LEADS_HOURS)), strict=True))
