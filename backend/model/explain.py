"""Why a probability is what it is: exact additive contributions of features to its log-odds (TreeSHAP).

Lundberg et al. 2020, "From local explanations to global understanding with explainable AI for trees": LightGBM has the
algorithm. Calibration is affine in the log-odds, so that contributions still add up behind it.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from backend.flights import features, reasons
from backend.flights.facts import unpack
from backend.model.bundle import Bundle, BundleError
from backend.model.scoring import lead_days, sigmoid
from backend.model.serving import Serving
from backend.store import predictions
from backend.store.predictions import Asking, Logged

Floats = npt.NDArray[np.float64]

STRONGEST = 8  # features that are named beside the groups
EXACT = 1e-6  # log-odds: what contributions may sum to beside the answer


class UnexplainedError(RuntimeError):
    """Why an answer has no reasons."""


class Contributions(NamedTuple):
    """For n flights: what each feature adds to the log-odds, shape (n, f), and what it starts from, shape (n,)."""

    by_feature: Floats
    start: Floats


def contributions(bundle: Bundle, rows: Floats) -> Contributions:
    """The contributions for rows (n, f) of `features.build`: with the start they sum to `bundle.log_odds(rows)`.

    Raises UnexplainedError for a bundle that does not hold what they are made from.
    """
    if bundle.text is None:
        raise UnexplainedError(f"The bundle of version {bundle.version} has an older format, which gives no reasons.")
    encoded = bundle.encoder.encode(rows)
    raw = np.asarray(_booster(bundle.text).predict(encoded, pred_contrib=True, num_threads=1), np.float64)
    days = lead_days(rows)
    return Contributions(
        raw[:, :-1] * bundle.calibration.scale(days)[:, None], bundle.calibration.apply(raw[:, -1], days)
    )


class Feature(NamedTuple):
    """A feature's value (a code, a number, or None where nothing was known), and what it adds to the log-odds."""

    name: str
    value: str | float | None
    contribution: float


class Explanation(NamedTuple):
    """One answer's reasons, in log-odds: `base` and all of `groups` sum to `log_odds`.

    `base` is the mean of the flights that the model learned from. Groups and features come largest first, and of the
    features the STRONGEST alone.
    """

    base: float
    log_odds: float
    groups: dict[str, float]
    features: list[Feature]
    sentence: str

    @property
    def base_probability(self) -> float:
        """The probability that contributions start from."""
        return float(sigmoid(np.array([self.base]))[0])


def explain(bundle: Bundle, rows: Floats) -> list[Explanation]:
    """The reasons for each of rows (n, f). Raises UnexplainedError."""
    found = contributions(bundle, rows)
    summed = {group: found.by_feature[:, places].sum(axis=1) for group, places in reasons.positions().items()}
    log_odds = found.by_feature.sum(axis=1) + found.start
    explanations = []
    for place, probability in enumerate(sigmoid(log_odds).tolist()):
        by_group = {group: float(total[place]) for group, total in summed.items()}
        groups = dict(sorted(by_group.items(), key=lambda item: -abs(item[1])))
        strongest = _strongest(rows[place], found.by_feature[place])
        said = reasons.sentence(probability, groups)
        explanations.append(Explanation(float(found.start[place]), float(log_odds[place]), groups, strongest, said))
    return explanations


def _strongest(row: Floats, by_feature: Floats) -> list[Feature]:
    places = np.argsort(-np.abs(by_feature), kind="stable")[:STRONGEST]
    return [Feature(features.names()[place], _value(place, row[place]), float(by_feature[place])) for place in places]


def _value(place: int, value: float) -> str | float | None:
    if np.isnan(value):
        return None
    return unpack(int(value)) if features.names()[place] in features.CATEGORIES else float(value)


def of_answers(
    connection: Connection, serving: Serving, asking: Asking, answers: Sequence[Logged]
) -> list[Explanation | str]:
    """For each answer that is in the log its reasons, or a sentence that says why there are none.

    They are those of the answer, whatever serves by now: made from the logged features by the version that answered.
    """
    logged = predictions.features_of(connection, asking.account, asking.as_of, [answer.key for answer in answers])
    found: dict[predictions.Key, Explanation | str] = {}
    for version in {answer.version for answer in answers}:
        own = {answer.key: answer for answer in answers if answer.version == version}
        try:
            bundle = serving.version(connection, version)
            rows = np.stack([_row(*logged[key]) for key in own])
            explained = explain(bundle, rows)
        except BundleError as error:
            found |= dict.fromkeys(own, f"Version {version}, which answered, cannot be loaded any more: {error}.")
        except UnexplainedError as error:
            found |= dict.fromkeys(own, str(error))
        else:
            found |= {key: _checked(own[key], said) for key, said in zip(own, explained, strict=True)}
    return [found[answer.key] for answer in answers]


def _row(feature_list: str, packed: bytes) -> Floats:
    if feature_list != features.VERSION:
        raise UnexplainedError(f"It was made from features of list {feature_list}, which this program does not know.")
    return predictions.unpack(packed)


def _checked(answer: Logged, said: Explanation) -> Explanation | str:
    """The reasons, if they are those of the probability that was answered."""
    answered = np.log(answer.probability) - np.log1p(-answer.probability)
    if abs(said.log_odds - answered) < EXACT:
        return said
    return f"Version {answer.version} does not give this answer any more from what was logged."


@lru_cache(maxsize=2)
def _booster(text: str) -> Any:
    # Imported when reasons are first asked for: it takes longer than all that answering needs.
    import lightgbm  # pylint: disable=import-outside-toplevel

    return lightgbm.Booster(model_str=text)
