"""How far figures could be off: intervals by resampling whole days, since flights of a day share their weather."""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

RESAMPLES = 400
FEWEST_DAYS = 5


def by_days(
    day: Ints, truth: Ints, probability: Floats, rng: np.random.Generator, resamples: int = RESAMPLES
) -> dict[str, tuple[float, float] | None]:
    """The 95 % interval of `auc` and of `brier` for flights of shape (n,), where `day` is each one's day number.

    Days are drawn with replacement (percentile bootstrap of clusters, Davison and Hinkley 1997, 3.8). None where
    fewer than FEWEST_DAYS days, or flights of one outcome only, say nothing about it.
    """
    days, position = np.unique(day, return_inverse=True)
    if len(days) < FEWEST_DAYS:
        return {"auc": None, "brier": None}
    drawn = rng.multinomial(len(days), np.full(len(days), 1 / len(days)), size=resamples)
    flights = np.bincount(position, minlength=len(days))
    error = np.bincount(position, (probability - truth) ** 2, minlength=len(days))
    brier = (drawn @ error) / (drawn @ flights)
    areas = aucs(position, truth, probability, drawn)
    return {"auc": _interval(areas), "brier": _interval(brier)}


def aucs(position: Ints, truth: Ints, probability: Floats, drawn: Ints) -> Floats:
    """ROC AUC for each row of `drawn`, which says how often each day counts; NaN where one outcome is missing."""
    _, tied = np.unique(probability, return_inverse=True)
    order = np.argsort(tied, kind="stable")
    starts = np.flatnonzero(np.diff(tied[order], prepend=-1))
    disrupted, day = truth[order] == 1, position[order]
    found = np.full(len(drawn), np.nan)
    for row, times in enumerate(drawn):
        weight = times[day]
        bad = np.add.reduceat(np.where(disrupted, weight, 0), starts)
        good = np.add.reduceat(np.where(disrupted, 0, weight), starts)
        pairs = bad.sum() * good.sum()
        if pairs:
            below = np.cumsum(good) - good
            found[row] = (bad * (below + good / 2)).sum() / pairs
    return found


def _interval(values: Floats) -> tuple[float, float] | None:
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return None
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
