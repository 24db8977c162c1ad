"""What a replay says of its policies: figures whole, by month and by lead time, what they cost, and how they differ."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from backend import clock
from backend.model import differences
from backend.model.lab import Lab
from backend.model.pieces import HEADLINE
from backend.model.replay import Replayed
from backend.model.snapshot import LEADS_HOURS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Said = dict[str, Any]

COMPARED_WITH = ("never", "monthly")
SHOWN = ("auc", "brier", "calibration_error")


def figures(here: Lab, replayed: Sequence[Replayed]) -> list[Said]:
    """For each policy, as JSON: `policy`, `metrics` (two hours before departure, all months together), `mean` (of its
    months), `months`, `by_lead`, `trainings`, `promotions`, `cpu_seconds` of its fits, had it been alone, `stints`, and
    `against`, the differences to COMPARED_WITH.
    """
    asked = here.questions
    scored = (asked.disrupted >= 0) & np.isfinite(replayed[0].probability[HEADLINE])
    how = differences.resampled(asked.day[scored], np.random.default_rng(here.how.seed))
    truth = asked.disrupted[scored]
    resampled: dict[str, tuple[Floats | None, Floats | None]] = {}
    said = []
    for one in replayed:
        answers = one.probability[HEADLINE][scored]
        of_auc = None if how is None else differences.aucs(how, truth, answers)
        of_brier = None if how is None else differences.briers(how, truth, answers)
        resampled[one.policy.name] = (of_auc, of_brier)
        said.append(_alone(here, one, scored))
    by_name = {one["policy"]: one for one in said}
    for mine in said:
        others = [by_name[name] for name in COMPARED_WITH if name in by_name and name != mine["policy"]]
        mine["against"] = [_against(mine, other, resampled) for other in others]
    return said


def _alone(here: Lab, one: Replayed, scored: npt.NDArray[np.bool_]) -> Said:
    asked = here.questions
    months = []
    for month in here.months:
        span = here.of_month(month)
        inside = scored[span]
        answers = one.probability[HEADLINE][span][inside]
        months.append({"month": month, **differences.figures(asked.disrupted[span][inside], answers)})
    by_lead = []
    for hours, answers in zip(LEADS_HOURS, one.probability, strict=True):
        given = np.isfinite(answers) & (asked.disrupted >= 0)
        by_lead.append({"lead_hours": hours, **differences.figures(asked.disrupted[given], answers[given])})
    return {
        "policy": one.policy.name,
        "metrics": differences.figures(asked.disrupted[scored], one.probability[HEADLINE][scored]),
        "mean": {name: _mean([month[name] for month in months]) for name in SHOWN},
        "months": months,
        "by_lead": by_lead,
        "trainings": len(one.trained),
        "promotions": len(one.stints) - 1,
        "cpu_seconds": round(sum(version.ready().cpu_seconds for version in one.trained), 1),
        "stints": [
            {
                "since": clock.iso(stint.since),
                "learned_until": clock.iso(stint.version.learned.last),
                "learned_from": stint.version.flights,
                "why": stint.why,
            }
            for stint in one.stints
        ],
    }


def _against(mine: Said, other: Said, resampled: dict[str, tuple[Floats | None, Floats | None]]) -> Said:
    said: Said = {"policy": other["policy"]}
    for place, name in enumerate(("auc", "brier")):
        figures_ = mine["metrics"][name], other["metrics"][name]
        if None not in figures_:
            draws = (resampled[one["policy"]][place] for one in (mine, other))
            said[name] = differences.difference(*figures_, *draws)
    return said


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
