"""Two policies' answers to the same questions: by how much their figures differ, and how far that could be off.

The interval is a bootstrap of blocks of whole days, the same for both policies: flights of a day share their weather,
and a day resembles its neighbours. It is made for one look at a period chosen before; the gate's bounds
(backend/model/promotion.py), which hold at every look, would be wider for nothing.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from backend.model import evaluate, intervals

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BLOCK_DAYS = 7
FEWEST_BLOCKS = 4
RESAMPLES = 400


class Resampled(NamedTuple):
    """How often each of k days was drawn, in each resample: shape (resamples, k); and the day, by its place, of each
    question: shape (n,)."""

    drawn: Ints
    place: Ints


def resampled(day: Ints, rng: np.random.Generator, resamples: int = RESAMPLES) -> Resampled | None:
    """Blocks of BLOCK_DAYS neighbouring days, drawn with replacement from a circle of them (Politis and Romano 1992).

    `day` is the day number of each question, shape (n,). None where there are fewer than FEWEST_BLOCKS blocks.
    """
    days, place = np.unique(day, return_inverse=True)
    count = len(days)
    blocks = -(-count // BLOCK_DAYS)
    if count < FEWEST_BLOCKS * BLOCK_DAYS:
        return None
    starts = rng.integers(count, size=(resamples, blocks, 1))
    chosen = ((starts + np.arange(BLOCK_DAYS)) % count).reshape(resamples, -1)[:, :count]
    drawn = np.zeros((resamples, count), np.int64)
    np.add.at(drawn, (np.arange(resamples)[:, None], chosen), 1)
    return Resampled(drawn, place)


def aucs(how: Resampled, truth: Ints, probability: Floats) -> Floats:
    """The ROC AUC in each resample: shape (resamples,)."""
    return intervals.aucs(how.place, truth, probability, how.drawn)


def briers(how: Resampled, truth: Ints, probability: Floats) -> Floats:
    """The Brier score in each resample: shape (resamples,)."""
    error = np.bincount(how.place, (probability - truth) ** 2, minlength=how.drawn.shape[1])
    return np.asarray((how.drawn @ error) / (how.drawn @ np.bincount(how.place)), np.float64)


def figures(truth: Ints, probability: Floats) -> dict[str, Any]:
    """`flights`, `base_rate`, `auc` (None where all ended alike), `brier` and `calibration_error`: as JSON."""
    found = evaluate.metrics(truth, probability)
    auc = found["auc"] if np.isfinite(found["auc"]) else None
    said = {"flights": len(truth), "base_rate": float(truth.mean()), "auc": auc, "brier": found["brier"]}
    return said | {"calibration_error": found["calibration_error"]}


def difference(mine: float, other: float, of_mine: Floats | None, of_other: Floats | None) -> dict[str, Any]:
    """`difference` (mine less the other) with `low` and `high`, its 95 % interval over the resamples of both."""
    low = high = None
    if of_mine is not None and of_other is not None and np.isfinite(of_mine - of_other).all():
        low, high = (float(end) for end in np.quantile(of_mine - of_other, (0.025, 0.975)))
    return {"difference": mine - other, "low": low, "high": high}
