"""Fits the baseline and the model. The model is gradient-boosted trees (LightGBM) with a calibration after them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder

from backend.flights import features
from backend.model.scoring import Calibration, Encoder, lead_days, log_odds, sigmoid

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# LightGBM's own names. Chosen by walk-forward months (docs/model-card.md).
PARAMETERS: Mapping[str, Any] = MappingProxyType(
    {
        "num_iterations": 200,
        "learning_rate": 0.06,
        "num_leaves": 63,
        "min_data_in_leaf": 100,
        "lambda_l2": 20.0,
        "feature_fraction_bynode": 0.2,
        "max_bin": 63,
    }
)
# The same rows give the same trees to the last bit, with however many threads.
_REPRODUCIBLE = {"objective": "binary", "deterministic": True, "force_row_wise": True, "verbosity": -1}
SMOOTHING = 50  # flights of the mean that a category's own rate is mixed with
FEWEST_FLIGHTS = 500
SLOPES = (0.25, 1.5)  # between which a calibration's are


@dataclass(frozen=True)
class Fitted:
    """A model: encoder, trees and calibration.

    `threads` fitted it, and answer for it (0: one a core). LightGBM has one such number for the whole process: where it
    fits and answers side by side under different ones, it writes past the end of its buffers.
    """

    encoder: Encoder
    trees: lightgbm.Booster
    calibration: Calibration = field(default_factory=Calibration)
    threads: int = 0

    def probability(self, rows: Floats) -> Floats:
        """The probability of disruption for rows of `features.build`: shape (n,)."""
        return sigmoid(self.calibration.apply(self.raw_log_odds(rows), lead_days(rows)))

    def raw_log_odds(self, rows: Floats) -> Floats:
        """What the trees say before calibration: shape (n,)."""
        encoded = self.encoder.encode(rows)
        return np.asarray(self.trees.predict(encoded, raw_score=True, num_threads=self.threads), np.float64)


def fit(rows: Floats, labels: Ints, seed: int, parameters: Mapping[str, Any] = PARAMETERS) -> Fitted:
    """Fit encoder and trees to rows of shape (n, f) and labels of shape (n,), without calibration.

    Raises ValueError for labels of one kind only.
    """
    if len(np.unique(labels)) < 2:
        raise ValueError("the training window holds only one kind of outcome: choose a longer one")
    encoder = fit_encoder(rows, labels)
    chosen = {**_REPRODUCIBLE, **parameters, "seed": seed}
    data = lightgbm.Dataset(encoder.encode(rows), labels, feature_name=list(features.names()), params=chosen)
    return Fitted(encoder, lightgbm.train(chosen, data), threads=chosen.get("num_threads", 0))


def fit_encoder(rows: Floats, labels: Ints) -> Encoder:
    """Numbers for the categories: how often each was disrupted, shrunk to the mean."""
    mean = float(labels.mean())
    rates: dict[str, dict[int, float]] = {}
    for name in features.CATEGORIES:
        codes, inverse = np.unique(rows[:, features.names().index(name)].astype(np.int64), return_inverse=True)
        count = np.bincount(inverse)
        rate = (np.bincount(inverse, labels) + mean * SMOOTHING) / (count + SMOOTHING)
        rates[name] = dict(zip(codes.tolist(), rate.tolist(), strict=True))
    return Encoder(mean, rates)


def fit_calibration(raw: Floats, lead: Floats, labels: Ints, usual: float) -> Calibration:
    """How far log-odds may be trusted, by lead time: they are drawn to those of the `usual` rate, or away from them.

    `raw` are log-odds of shape (n,) on flights that the trees were not fitted on, asked about `lead` days before
    departure. The slope is Platt's (1999). His intercept is left out: it is the month's base rate, and the next month
    has another (docs/model-card.md). Affine, so that what each feature contributes still adds up after it.
    """
    pivot = float(log_odds(np.array([usual]))[0])
    apart = raw - pivot
    # A weak penalty keeps the slopes finite where a small window is separable.
    platt = LogisticRegression(C=1e4).fit(np.column_stack([apart, apart * lead, lead]), labels)
    # A window too small to tell may ask for less than nothing, or for anything: that much is never meant.
    slope, day_before = np.clip([platt.coef_[0, 0], platt.coef_[0, :2].sum()], *SLOPES).tolist()
    return Calibration(slope, pivot * (1 - slope), day_before - slope, pivot * (slope - day_before))


SCHEDULE_CATEGORIES = ("carrier", "origin", "dest", "weekday")
SCHEDULE_NUMBERS = ("departure_minute", "arrival_minute", "block_minutes")


def fit_baseline(rows: Floats, labels: Ints) -> Pipeline:
    """The baseline: a logistic regression on the schedule alone, hours as steps."""
    names = features.names()
    one_hot = OneHotEncoder(handle_unknown="ignore", min_frequency=20)
    steps = KBinsDiscretizer(n_bins=12, encode="onehot", strategy="quantile", quantile_method="averaged_inverted_cdf")
    columns = make_column_transformer(
        (one_hot, [names.index(name) for name in SCHEDULE_CATEGORIES]),
        (steps, [names.index(name) for name in SCHEDULE_NUMBERS]),
    )
    return make_pipeline(columns, LogisticRegression(C=1.0, max_iter=500)).fit(np.nan_to_num(rows), labels)


def baseline_probability(baseline: Pipeline, rows: Floats) -> Floats:
    """The baseline's probability of disruption: shape (n,)."""
    return np.asarray(baseline.predict_proba(np.nan_to_num(rows))[:, 1], np.float64)
