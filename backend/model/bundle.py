"""The bundle: one file that serves. Compiled trees, encoder, calibration, feature list and what is said of it.

Its SHA-256 stands in `deployments` and is checked before anything in it is parsed. Format 1 had no `trees.txt`: such a
bundle answers, and cannot give reasons. One that was made for other features than this program's does not answer.
"""

import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import treelite

from backend.flights import features
from backend.model.scoring import Calibration, Encoder, lead_days, sigmoid
from backend.store.blobs import Blobs

Floats = npt.NDArray[np.float64]

FORMAT = 2
READABLE = (1, FORMAT)


class BundleError(RuntimeError):
    """A bundle that cannot serve, and why."""


@dataclass(frozen=True)
class Bundle:
    """A version that can answer. `metadata` is what training said of it (see jobs/training.py), `text` the trees as
    LightGBM wrote them, which reasons need (explain.py): None in a bundle of format 1."""

    version: int
    metadata: dict[str, Any]
    encoder: Encoder
    calibration: Calibration
    trees: treelite.Model
    text: str | None

    def log_odds(self, rows: Floats) -> Floats:
        """Calibrated log-odds for rows of `features.build`: shape (n,)."""
        encoded = np.ascontiguousarray(self.encoder.encode(rows))
        raw = treelite.gtil.predict(self.trees, encoded, nthread=1, pred_margin=True)
        return self.calibration.apply(np.asarray(raw, np.float64).reshape(len(rows)), lead_days(rows))

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
        "calibration": asdict(calibration),
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


def read(blobs: Blobs, name: str, expected_sha256: str) -> Bundle:
    """The bundle of that name. Raises BundleError where it is missing, cannot be read or cannot serve, and says why."""
    try:
        content = blobs.read(name)
    except FileNotFoundError as error:
        raise BundleError("its bundle is missing") from error
    except OSError as error:
        raise BundleError(f"its bundle cannot be read: {error.strerror or type(error).__name__}") from error
    return load(content, expected_sha256)


def load(content: bytes, expected_sha256: str) -> Bundle:
    """The bundle in those bytes. Raises BundleError when they are not what was deployed, or not for this program."""
    found = sha256(content)
    if found != expected_sha256:
        raise BundleError(f"the bundle's SHA-256 is {found}, but {expected_sha256} was deployed: it is damaged")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            bundle = _parse(archive)
        # Numbers that make no probability would otherwise be found by the first who asks.
        probability = bundle.probability(np.zeros((1, len(features.names()))))
    except treelite.TreeliteError as error:
        raise BundleError("the bundle's trees cannot be read by this program's treelite: train again") from error
    except _UNREADABLE as error:
        raise BundleError(f"the bundle is not one of this program's: {error}") from error
    if not 0 <= probability[0] <= 1:
        raise BundleError("the bundle answers with something that is no probability")
    return bundle


# What parsing raises for bytes and JSON of another making.
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError),
    *(KeyError, TypeError, ValueError, AttributeError, OverflowError),
)


def _parse(archive: zipfile.ZipFile) -> Bundle:
    about = json.loads(archive.read("bundle.json"))
    if about.get("format") not in READABLE:
        formats = " and ".join(map(str, READABLE))
        raise BundleError(f"the bundle has format {about.get('format')}, this program reads {formats}: train again")
    if about["feature_list"] != features.VERSION or about["features"] != list(features.names()):
        raise BundleError(
            f"the bundle's features (list {about['feature_list']}) are not this program's ({features.VERSION}):"
            " train again"
        )
    trees = treelite.Model.deserialize_bytes(archive.read("trees.treelite"))
    if trees.num_feature != len(features.names()):
        raise BundleError(f"the bundle's trees take {trees.num_feature} features, not {len(features.names())}")
    return Bundle(
        version=about["version"],
        metadata=about["metadata"],
        encoder=Encoder.from_json(about["encoder"]),
        calibration=Calibration(**about["calibration"]),
        trees=trees,
        text=archive.read("trees.txt").decode() if about["format"] > 1 else None,
    )
