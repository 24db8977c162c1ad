"""How good answers were: figures of days and of trailing windows, whole and by slice, and what they cost. Pure."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from backend.model import intervals
from backend.monitoring import expected, scores
from backend.monitoring.answered import BANDS, HEADLINE, Answered
from backend.options import Costs

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Said = dict[str, Any]

SPANS = {"7d": 7, "28d": 28}  # days
SMALL = 100  # flights: a slice of fewer says little, and is marked
SEED = 20130401


class Part(NamedTuple):
    """One row of the table: a slice of the span that ends with local day `day`, with its figures as JSON. `complete`
    says whether all labels of the span can be final, `seq` is the newest outcome that was recorded of it."""

    day: int
    span: str
    lead_minutes: int
    slice: str
    value: str
    complete: bool
    seq: int
    said: Said


def of_day(said: Answered, day: int, costs: Costs) -> list[Part]:
    """The parts of one complete local day."""
    here = said.take(said.day == day)
    parts = ((lead, by, value, here.take(mask)) for lead, by, value, mask in _slices(here))
    return [
        Part(day, "day", lead, by, value, True, _newest(rows), figures(rows, costs))
        for lead, by, value, rows in parts
        if len(rows)
    ]


def before_outcomes(said: Answered, day: int) -> list[Part]:
    """The parts of a local day that is not complete: what is to be expected of its answers so far."""
    here = said.take(said.day == day)
    parts = ((lead, here.take(here.lead == lead)) for lead in BANDS)
    return [
        Part(day, "day", lead, "all", "", False, 0, {"flights": len(rows), "missing": len(rows)} | _asked(rows))
        for lead, rows in parts
        if len(rows)
    ]


def trailing(said: Answered, day: int, span: str, costs: Costs) -> list[Part]:
    """The parts of so many complete local days up to and with `day`, with 95 % intervals by resampling the days."""
    here = said.take((said.day > day - SPANS[span]) & (said.day <= day))
    parts = []
    for lead, by, value, mask in _slices(here):
        rows = here.take(mask)
        if len(rows) == 0:
            continue
        found = figures(rows, costs)
        if found["flights"] and not found["small"]:
            found |= uncertainty(rows)
        if by == "all":
            found["estimate_error"] = _estimate_error(rows)
        parts.append(Part(day, span, lead, by, value, True, _newest(rows), found))
    return parts


def figures(said: Answered, costs: Costs) -> Said:
    """Figures of answers whose labels are final: `flights` are those with an outcome, `missing` those of which none
    ever came. Scores and cost are left out where there is no outcome at all."""
    known = said.disrupted >= 0
    truth, probability = said.disrupted[known], said.probability[known]
    found: Said = {"flights": len(truth), "missing": len(said) - len(truth)} | _asked(said)
    found["small"] = len(truth) < SMALL
    if len(truth):
        found |= scores.scores(truth, probability) | {"cost": scores.cost(truth, probability, costs)}
    return found


def uncertainty(said: Answered) -> Said:
    """`auc_interval` and `brier_interval` of answers whose labels are final; None for fewer than five days."""
    known = said.take(said.disrupted >= 0)
    rng = np.random.default_rng(SEED)
    found = intervals.by_days(known.day, known.disrupted, known.probability, rng)
    return {"auc_interval": found["auc"], "brier_interval": found["brier"]}


def _asked(said: Answered) -> Said:
    versions, count = np.unique(said.version, return_counts=True)
    return {
        "days": len(np.unique(said.day)),
        "versions": {str(version): times for version, times in zip(versions.tolist(), count.tolist(), strict=True)},
        "small": len(said) < SMALL,
        "estimated": expected.figures(said.probability),
    }


def _slices(said: Answered) -> Iterator[tuple[int, str, str, Bools]]:
    """Each band of lead times, and two hours before departure each origin and each carrier."""
    for lead in BANDS:
        yield lead, "all", "", said.lead == lead
    headline = said.lead == HEADLINE
    for by, labels in (("origin", said.origin), ("carrier", said.carrier)):
        for value in np.unique(labels[headline]).tolist():
            yield HEADLINE, by, value, headline & (labels == value)


def _estimate_error(said: Answered) -> Said:
    """By how much the figures that were expected of each day's answers missed what came of them: mean absolute
    difference over the days, in `auc` and in `brier`; None where no day had both."""
    missed: dict[str, list[float]] = {"auc": [], "brier": []}
    for day in np.unique(said.day).tolist():
        rows = said.take((said.day == day) & (said.disrupted >= 0))
        if len(rows) == 0:
            continue
        came, estimate = scores.scores(rows.disrupted, rows.probability), expected.figures(rows.probability)
        for name, all_of_it in missed.items():
            was, should = came[name], estimate[name]
            if was is not None and should is not None:
                all_of_it.append(abs(was - should))
    return {name: float(np.mean(by_day)) if by_day else None for name, by_day in missed.items()}


def _newest(said: Answered) -> int:
    return int(said.outcome_seq.max(initial=0))
