"""The bundle: one file that serves. Compiled trees, encoder, calibration, feature list and what is said of it.

Its SHA-256 stands in `deployments` and is checked before anything in it is parsed.
"""

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import treelite

from backend.flights import features
from backend.model.scoring import Calibration, Encoder, sigmoid

Floats = npt.NDArray[np.float64]

FORMAT = 2


class BundleError(RuntimeError):
    """A bundle that cannot serve, and why."""


@dataclass(frozen=True)
class Bundle:
    """A version that can answer. `metadata` is what training said of it (see jobs/training.py), `text` the trees as
    LightGBM wrote them, which reasons need (explain.py)."""

    version: int
    metadata: dict[str, Any]
    encoder: Encoder
    calibration: Calibration
    trees: treelite.Model
    text: str

    def log_odds(self, rows: Floats) -> Floats:
        """Calibrated log-odds for rows of `features.build`: shape (n,)."""
        encoded = np.ascontiguousarray(self.encoder.encode(rows))
        raw = treelite.gtil.predict(self.trees, encoded, nthread=1, pred_margin=True)
        return self.calibration.apply(np.asarray(raw, np.float64).reshape(len(rows)))

    def probability(self, rows: Floats) -> Floats:
        """The probability of disruption for rows of `features.build`: shape (n,)."""
        return sigmoid(self.log_odds(rows))


def pack(version: int, metadata: dict[str, Any], encoder: Encoder, calibration: Calibration, trees: Any) -> bytes:
    """The bundle's file for a fitted LightGBM booster."""
    about = {
        "format": FORMAT,
        "version": version,
        "feature_list": features.VERSION,
        "features": list(features.names()),
        "encoder": encoder.to_json(),
        "calibration": {"slope": calibration.slope, "intercept": calibration.intercept},
        "metadata": metadata,
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle.json", json.dumps(about, indent=1, sort_keys=True))
        archive.writestr("trees.treelite", treelite.frontend.from_lightgbm(trees).serialize_bytes())
        archive.writestr("trees.txt", trees.model_to_string())
    return out.getvalue()


def sha256(content: bytes) -> str:
    """The name of a bundle's content."""
    return hashlib.sha256(content).hexdigest()


def load(content: bytes, expected_sha256: str) -> Bundle:
    """The bundle in those bytes. Raises BundleError when they are not what was deployed, or not for this program."""
    found = sha256(content)
    if found != expected_sha256:
        raise BundleError(f"the bundle's SHA-256 is {found}, but {expected_sha256} was deployed: it is damaged")
    try:
        return _parse(content)
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, treelite.TreeliteError) as error:
        raise BundleError(f"the bundle is not one of this program's: {error}") from error


def _parse(content: bytes) -> Bundle:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        about = json.loads(archive.read("bundle.json"))
        if about.get("format") != FORMAT:
            raise BundleError(f"the bundle has format {about.get('format')}, this program reads {FORMAT}: train again")
        if about["feature_list"] != features.VERSION or about["features"] != list(features.names()):
            raise BundleError(
                f"the bundle's features (list {about['feature_list']}) are not this program's ({features.VERSION}):"
                " train again"
            )
        trees = treelite.Model.deserialize_bytes(archive.read("trees.treelite"))
        text = archive.read("trees.txt").decode()
    return Bundle(
        version=about["version"],
        metadata=about["metadata"],
        encoder=Encoder.from_json(about["encoder"]),
        calibration=Calibration(**about["calibration"]),
        trees=trees,
        text=text,
    )
