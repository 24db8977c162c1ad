"""How far figures could be off: intervals by resampling whole days, since flights of a day share their weather."""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

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
    days = drawn.shape[1]
    disrupted = truth == 1
    won = pairs(position, disrupted, probability, days)
    bad, good = (np.bincount(position[part], minlength=days) for part in (disrupted, ~disrupted))
    all_pairs = (drawn @ bad) * (drawn @ good)
    right = ((drawn @ won) * drawn).sum(axis=1)
    areas: Floats = np.full(len(drawn), np.nan)
    np.divide(right, all_pairs, out=areas, where=all_pairs > 0)
    return areas


def pairs(position: Ints, disrupted: Bools, probability: Floats, days: int) -> Floats:
    """For each two of so many days, how many pairs of a disrupted flight of the first and another one of the second
    are ranked rightly, a tie for half: shape (days, days). Whole and half numbers, so that their sums are exact."""
    _, tied = np.unique(probability, return_inverse=True)
    bad_day, bad_rank = position[disrupted], tied[disrupted]
    good_day, good_rank = position[~disrupted], tied[~disrupted]
    won = np.zeros((days, days))
    for day in range(days):
        good = np.bincount(good_rank[good_day == day], minlength=len(tied))
        below = np.cumsum(good) - good / 2
        won[:, day] = np.bincount(bad_day, below[bad_rank], minlength=days)
    return won


def _interval(values: Floats) -> tuple[float, float] | None:
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return None
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
