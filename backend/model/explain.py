"""Why a probability is what it is: exact additive contributions of features to its log-odds (TreeSHAP).

Lundberg et al. 2020, "From local explanations to global understanding with explainable AI for trees": LightGBM has the
algorithm. Calibration is affine in the log-odds, so that contributions still add up behind it.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from backend.flights import reasons
from backend.model.bundle import Bundle
from backend.model.scoring import sigmoid

Floats = npt.NDArray[np.float64]


class Contributions(NamedTuple):
    """For n flights: what each feature adds to the log-odds, shape (n, f), and what all start from."""

    by_feature: Floats
    start: float


def contributions(bundle: Bundle, rows: Floats) -> Contributions:
    """The contributions for rows (n, f) of `features.build`: with the start they sum to `bundle.log_odds(rows)`."""
    raw = np.asarray(_booster(bundle.text).predict(bundle.encoder.encode(rows), pred_contrib=True), np.float64)
    start = float(bundle.calibration.apply(raw[:1, -1])[0]) if len(raw) else 0.0
    return Contributions(raw[:, :-1] * bundle.calibration.slope, start)


class Explanation(NamedTuple):
    """One flight's reasons: log-odds by group, the probability that they start from, and a sentence."""

    groups: dict[str, float]
    usual: float
    sentence: str


def explain(bundle: Bundle, rows: Floats) -> list[Explanation]:
    """The reasons for each of rows (n, f)."""
    found = contributions(bundle, rows)
    usual = float(sigmoid(np.array([found.start]))[0])
    summed = {group: found.by_feature[:, places].sum(axis=1) for group, places in reasons.positions().items()}
    probability = sigmoid(found.by_feature.sum(axis=1) + found.start)
    explanations = []
    for place in range(len(rows)):
        groups = {group: float(total[place]) for group, total in summed.items()}
        said = reasons.sentence(float(probability[place]), usual, groups)
        explanations.append(Explanation(groups, usual, said))
    return explanations


@lru_cache(maxsize=2)
def _booster(text: str) -> Any:
    # Imported when reasons are first asked for: it takes longer than all that answering needs.
    import lightgbm  # pylint: disable=import-outside-toplevel

    return lightgbm.Booster(model_str=text)
