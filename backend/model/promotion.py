"""The gate: whether a challenger is shown to be better than the champion, by their errors on the same flights.

The paired difference in Brier score is judged by days, since flights of a day share their weather, with a boundary
that holds at every look: an anytime-valid t-test (docs/promotion.md). Pure: numbers in, a verdict out.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]

EVIDENCE = 50.0  # how many times likelier the days must be under a difference than under none
EFFECT_VARIANCE = 0.1  # of the mean daily difference in standard deviations: 4.1 standard errors at 28 days, 3.4 at 100
LAGS = 2  # days over which weather and its delays carry over
FEWEST_DAYS = 14
AUC_MARGIN = 0.002
SLICE_MARGIN = 0.005  # in Brier score
LARGE_SLICE = 500  # flights


class Rule(NamedTuple):
    """What decides how sure one must be. The gate's own is the default; others are there to be compared with it."""

    evidence: float = EVIDENCE
    effect_variance: float = EFFECT_VARIANCE
    lags: int = LAGS


RULE = Rule()


class Verdict(NamedTuple):
    """`verdict` is promote, keep or not_enough_evidence; `sentence` says why in words, `numbers` (JSON) on what."""

    verdict: str
    sentence: str
    numbers: dict[str, Any]


class Gain(NamedTuple):
    """By how much the challenger's Brier score is lower, over `days` days, and between what bounds that is at every
    look. The bounds are infinite where the days are too few, or differ too much, for any."""

    mean: float
    low: float
    high: float
    days: int


def judge(
    day: Ints, flight: Ints, truth: Ints, champion: Floats, challenger: Floats, slices: Mapping[str, Labels]
) -> Verdict:
    """The verdict on two models' probabilities for the same questions, all arrays of shape (n,).

    `day` is the local day number of each question's flight and `flight` says which flight it is, for a flight may be
    asked about at several lead times. `slices` are labels of each question, such as its origin.
    """
    found = gain(*by_day(day, truth, champion, challenger))
    auc = (_auc(truth, champion), _auc(truth, challenger))
    worse = [
        one for one in _slices(flight, _saved(truth, champion, challenger), slices) if one["brier_gain"] < -SLICE_MARGIN
    ]
    verdict, why = _decide(found, auc, worse)
    numbers = {
        "questions": len(truth),
        "flights": len(np.unique(flight)),
        "days": found.days,
        "brier": {"champion": _brier(truth, champion), "challenger": _brier(truth, challenger)},
        "brier_gain": float(found.mean),
        "brier_gain_bounds": [float(bound) if np.isfinite(bound) else None for bound in (found.low, found.high)],
        "auc": {"champion": auc[0], "challenger": auc[1]},
        "worse_slices": worse,
        "rules": {
            "evidence": EVIDENCE,
            "fewest_days": FEWEST_DAYS,
            "auc_margin": AUC_MARGIN,
            "slice_margin": SLICE_MARGIN,
            "large_slice": LARGE_SLICE,
        },
    }
    return Verdict(verdict, f"{_measured(found)} {why}", numbers)


def by_day(day: Ints, truth: Ints, champion: Floats, challenger: Floats) -> tuple[Floats, Floats]:
    """For each day that has questions, in order: the squared error that the challenger saves, summed, and how many
    questions there are."""
    _, place = np.unique(day, return_inverse=True)
    saved = np.bincount(place, _saved(truth, champion, challenger)).astype(np.float64)
    return saved, np.bincount(place).astype(np.float64)


def gain(saved: Floats, questions: Floats, rule: Rule = RULE) -> Gain:
    """The mean saving and its bounds from `by_day`: shapes (..., k) are judged for each leading index at once, and
    then the fields of the result are arrays.

    The bounds are a confidence sequence: the inverse of the t-test whose mixture over effect sizes is a Bayes factor
    (Gönen et al. 2005) and, for whoever looks as often as they like, a martingale (Wang and Ramdas 2025). The
    variance of the mean is that of days which may resemble their neighbours (Newey and West 1987).
    """
    days = saved.shape[-1]
    total = questions.sum(-1)
    mean = np.divide(saved.sum(-1), total, out=np.zeros(total.shape), where=total > 0)
    error = saved - mean[..., None] * questions
    alone = (error * error).sum(-1)
    variance = alone.copy()
    for lag in range(1, min(rule.lags, days - 1) + 1):
        variance += 2 * (1 - lag / (rule.lags + 1)) * (error[..., lag:] * error[..., :-lag]).sum(-1)
    # Neighbours that happen to cancel out do not make the mean surer than days on their own would.
    deviation = np.sqrt(np.maximum(variance, alone))
    width = np.full(total.shape, np.inf)
    if days >= FEWEST_DAYS:
        width = boundary(days, rule) * deviation * np.sqrt(days / (days - 1)) / total
    return Gain(mean[()], (mean - width)[()], (mean + width)[()], days)


def boundary(days: int, rule: Rule = RULE) -> float:
    """How many standard errors from nothing the mean of that many days (FEWEST_DAYS or more) must be, at any look.

    The Bayes factor of a normal effect with variance v against none is, for k days and a = 1 + k v,
    a^(-1/2) ((1 + t²/(k-1)) / (1 + t²/(a (k-1))))^(k/2); the boundary is the t at which it reaches the evidence asked
    for, and infinite where so few days never reach it.
    """
    spread = 1 + days * rule.effect_variance
    needed = (rule.evidence * np.sqrt(spread)) ** (2 / days)
    if needed >= spread:
        return float("inf")
    return float(np.sqrt((days - 1) * (needed - 1) / (1 - needed / spread)))


def _decide(found: Gain, auc: tuple[float | None, float | None], worse: list[dict[str, Any]]) -> tuple[str, str]:
    if found.days < FEWEST_DAYS:
        return "not_enough_evidence", f"At least {FEWEST_DAYS} days are needed to tell."
    if found.high < 0:
        return "keep", "The champion is better."
    if found.low <= 0:
        return "not_enough_evidence", "So few days cannot tell the two apart."
    if auc[0] is not None and auc[1] is not None and auc[1] < auc[0] - AUC_MARGIN:
        return "keep", f"But its AUC is {auc[1]:.4f}, and the champion's {auc[0]:.4f}."
    if worse:
        one = worse[0]
        where = f"{one['by']} {one['value']}"
        return "keep", f"But for {where} ({one['flights']:,} flights) it is worse by {-one['brier_gain']:.4f}."
    return "promote", "The challenger is better."


def _measured(found: Gain) -> str:
    if found.days == 0:
        return "No flight with a final outcome is new to both."
    said = f"Over {found.days} days the challenger's Brier score is {_lower(found.mean)}"
    return f"{said}." if np.isinf(found.low) else f"{said}, in truth from {_lower(found.low)} to {_lower(found.high)}."


def _lower(saved: float) -> str:
    return f"{abs(saved):.4f} {'lower' if saved >= 0 else 'higher'}"


def _slices(flight: Ints, saved: Floats, slices: Mapping[str, Labels]) -> list[dict[str, Any]]:
    """Large slices with the mean saving in each, the worst first."""
    found = []
    _, which = np.unique(flight, return_inverse=True)
    for by, labels in slices.items():
        for value in np.unique(labels):
            here = labels == value
            flights = int(np.count_nonzero(np.bincount(which[here])))
            if flights >= LARGE_SLICE:
                mean = float(saved[here].mean())
                found.append({"by": by, "value": str(value), "flights": flights, "brier_gain": mean})
    return sorted(found, key=lambda one: one["brier_gain"])


def _saved(truth: Ints, champion: Floats, challenger: Floats) -> Floats:
    return (champion - truth) ** 2 - (challenger - truth) ** 2


def _auc(truth: Ints, probability: Floats) -> float | None:
    return float(roc_auc_score(truth, probability)) if len(np.unique(truth)) == 2 else None


def _brier(truth: Ints, probability: Floats) -> float | None:
    return float(((probability - truth) ** 2).mean()) if len(truth) else None
