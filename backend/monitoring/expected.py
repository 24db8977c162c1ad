"""What AUC and Brier score are to be expected before any outcome is in, from calibrated probabilities alone.

The method is known as CBPE (confidence-based performance estimation, NannyML): where a probability is calibrated, so
many of the flights that have it will be disrupted, whichever these are. It sees a change in the flights, and none in
how probabilities and outcomes belong together.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def figures(probability: Floats) -> dict[str, float | None]:
    """`auc` (None where it cannot be) and `brier` to be expected of probabilities of shape (n,), one at least."""
    ordered, tied = np.unique(probability, return_inverse=True)
    count = np.bincount(tied)
    disrupted = ordered * count
    fine = count - disrupted
    pairs = float(disrupted.sum() * fine.sum())
    right = float((disrupted * (np.cumsum(fine) - fine / 2)).sum())
    return {
        "auc": right / pairs if pairs > 0 else None,
        "brier": float((probability * (1 - probability)).mean()),
    }
