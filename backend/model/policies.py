"""When a model is trained again, on what, and when it may serve: the policies, as pure functions of what was known.

The lab (backend/model/lab.py) replays history under them, and docs/policies.md says what that gave.
"""

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

USUAL = ("never", "monthly", "window:90d", "drift", "performance", "evidence")

LOOK_DAYS = 7  # how often drift and performance are looked at
COOLDOWN_DAYS = 28  # after a training, in which they are not
RECENT_DAYS = 28  # what they look at

MOVED = 0.25  # of a column, in standard deviations of what the model learned from
DRIFTED_SHARE = 0.3  # of the columns
SKILL_FALL = 0.03
FEWEST_FINAL_DAYS = 14

_GRID = np.linspace(0.01, 0.99, 50)


class Policy(NamedTuple):
    """A policy by its `name`, which `parse` reads. `window_days` is None where a model learns from everything."""

    name: str
    kind: str
    window_days: int | None = None
    refit: bool = False


def parse(name: str) -> Policy:
    """The policy of that name. Raises ValueError, with the names there are, for any other."""
    if match := re.fullmatch(r"window:([1-9]\d{0,3})d", name):
        return Policy(name, "window", window_days=int(match[1]))
    if name == "evidence:refit":
        return Policy(name, "evidence", refit=True)
    if name in ("never", "monthly", "drift", "performance", "evidence"):
        return Policy(name, name)
    raise ValueError(
        f"{name!r} is no policy: there are never, monthly, window:90d (with any number of days), drift, performance, "
        "evidence and evidence:refit"
    )


def trains_on_the_first(policy: Policy) -> bool:
    """Whether it trains at the beginning of each month, whatever happens."""
    return policy.kind in ("monthly", "window", "evidence")


def looks(policy: Policy, days: int) -> bool:
    """Whether it looks for a reason to train, that many days after it trained last."""
    watches = policy.kind in ("drift", "performance")
    return watches and days >= COOLDOWN_DAYS and (days - COOLDOWN_DAYS) % LOOK_DAYS == 0


class Shape(NamedTuple):
    """How each of f columns is distributed: quantiles of shape (q, f), and standard deviations of shape (f,)."""

    quantiles: Floats
    deviation: Floats


def shape_of(rows: Floats) -> Shape:
    """The shape of rows (n, f); what is missing counts in no column."""
    known = np.isfinite(rows)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, rows, 0).sum(0) / count
    variance = np.where(known, (rows - mean) ** 2, 0).sum(0) / count
    ordered = np.sort(np.where(known, rows, np.inf), axis=0)
    places = np.rint(_GRID[:, None] * (count - 1)).astype(np.int64)
    quantiles = np.where(known.any(0), np.take_along_axis(ordered, places, axis=0), np.nan)
    return Shape(quantiles, np.sqrt(variance))


def moved(reference: Shape, recent: Shape) -> Floats:
    """How far each column has moved: the Wasserstein distance in standard deviations of the reference, shape (f,).

    In one dimension that distance is the mean difference of quantiles (Ramdas et al. 2017). A column that is empty in
    one of the two has not moved; one that never varied has where it is another now.
    """
    distance = np.abs(reference.quantiles - recent.quantiles).mean(0)
    apart = np.divide(distance, reference.deviation, out=np.full(distance.shape, np.inf), where=reference.deviation > 0)
    return np.where(np.isnan(distance) | (distance == 0), 0.0, apart)


def drifted(distances: Floats) -> bool:
    """Whether enough columns have moved far enough, by `moved`."""
    return float((distances >= MOVED).mean()) >= DRIFTED_SHARE


def skill(truth: Ints, probability: Floats) -> float:
    """The Brier skill score: what is saved of the error of whoever says the base rate each time (Murphy 1973).

    NaN where all ended alike.
    """
    rate = truth.mean() if len(truth) else 0.0
    variance = rate * (1 - rate)
    return float(1 - ((probability - truth) ** 2).mean() / variance) if variance > 0 else float("nan")


def fallen(now: float, when_trained: float, days: int) -> bool:
    """Whether a skill measured over that many days is below that at training time, by more than SKILL_FALL."""
    return days >= FEWEST_FINAL_DAYS and now < when_trained - SKILL_FALL
