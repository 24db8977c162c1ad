"""How good probabilities were, and what acting on them cost. In numpy: a night of figures is seventy slices."""

from typing import Any

import numpy as np
import numpy.typing as npt

from backend.model import intervals
from backend.options import Costs

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BINS = 10
_LEAST = float(np.spacing(1.0))  # of a probability in the log loss, as scikit-learn has it


def scores(truth: Ints, probability: Floats) -> dict[str, float | None]:
    """`base_rate`, `auc` (None where all ended alike), `brier`, `log_loss` and `calibration_error` for labels and
    probabilities of shape (n,), one at least: the figures of `evaluate.metrics`."""
    disrupted = truth == 1
    one_day = np.zeros(len(truth), np.int64)
    possible = int(disrupted.sum()) * int((~disrupted).sum())
    won = float(intervals.pairs(one_day, disrupted, probability, 1)[0, 0])
    surely = np.clip(np.where(disrupted, probability, 1 - probability), _LEAST, 1)
    groups = np.array_split(np.argsort(probability, kind="stable"), BINS)
    apart = sum(abs(float(probability[group].sum() - truth[group].sum())) for group in groups)
    return {
        "base_rate": float(truth.mean()),
        "auc": won / possible if possible else None,
        "brier": float(((probability - truth) ** 2).mean()),
        "log_loss": float(-np.log(surely).mean()),
        "calibration_error": apart / len(truth),
    }


def cost(truth: Ints, probability: Floats, costs: Costs) -> dict[str, Any]:
    """What 1,000 flights cost for who acts on each risk from the `threshold` on, at which acting is worth it (Elkan
    2001), beside who acts never and who acts always. `false_alarm` and `miss` are the costs that this was made with."""
    threshold = costs.false_alarm / (costs.false_alarm + costs.miss)
    acts, disrupted = probability >= threshold, truth == 1
    missed, in_vain = float((~acts & disrupted).mean()), float((acts & ~disrupted).mean())
    base_rate = float(disrupted.mean())
    return {
        "false_alarm": costs.false_alarm,
        "miss": costs.miss,
        "threshold": threshold,
        "per_1000": 1000 * (missed * costs.miss + in_vain * costs.false_alarm),
        "never_acting": 1000 * base_rate * costs.miss,
        "always_acting": 1000 * (1 - base_rate) * costs.false_alarm,
    }
