"""How good probabilities are: ROC AUC, Brier score, log loss and calibration error, on a window of final labels."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score, roc_curve

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CALIBRATION_BINS = 10


def metrics(labels: Ints, probability: Floats) -> dict[str, float]:
    """`auc`, `brier`, `log_loss` and `calibration_error` for labels and probabilities of shape (n,)."""
    both = len(np.unique(labels)) == 2
    bins = calibration(labels, probability)
    error = sum(abs(b["predicted"] - b["observed"]) * b["flights"] for b in bins) / max(1, len(labels))
    return {
        "auc": float(roc_auc_score(labels, probability)) if both else float("nan"),
        "brier": float(brier_score_loss(labels, probability)),
        "log_loss": float(log_loss(labels, probability, labels=[0, 1])),
        "calibration_error": float(error),
    }


def calibration(labels: Ints, probability: Floats) -> list[dict[str, Any]]:
    """Ten groups of equally many flights by probability: mean `predicted`, share `observed`, `flights`.

    Their mean absolute difference is the expected calibration error (Naeini et al. 2015, equal-mass bins).
    """
    groups = np.array_split(np.argsort(probability, kind="stable"), CALIBRATION_BINS)
    return [
        {
            "predicted": float(probability[group].mean()),
            "observed": float(labels[group].mean()),
            "flights": len(group),
        }
        for group in groups
        if len(group)
    ]


def roc(labels: Ints, probability: Floats, points: int = 101) -> list[dict[str, float]]:
    """The ROC curve at evenly spaced false-positive rates."""
    false_positive, true_positive, _ = roc_curve(labels, probability)
    grid = np.linspace(0, 1, points)
    rates = np.interp(grid, false_positive, true_positive)
    return [{"false_positive": float(x), "true_positive": float(y)} for x, y in zip(grid, rates, strict=True)]
