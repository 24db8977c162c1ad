"""Makes a version again from what its metadata says, and compares what the two answer."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from backend.flights import features
from backend.model import bundle, comparison, lineage, recipe, registry, snapshot
from backend.model.bundle import Bundle
from backend.model.recipe import Progress, Recipe
from backend.store import ledger
from backend.store.blobs import Blobs

NEEDED = ("data_until", "fitted_until", "seq", "data_digest", "seed", "parameters")
ROWS = 2000  # flights, each asked about at every lead time


class Reproduction(NamedTuple):
    """Whether the version made again answers exactly as the version does, and sentences that say so, or say how not."""

    equal: bool
    said: list[str]


def reproduce(connection: Connection, blobs: Blobs, version: int, progress: Progress) -> Reproduction:
    """Rebuild the version's snapshot from `as_of` and `seq`, check its digest, fit again, and ask both about flights.

    Raises ValueError where the version was never trained or its flights cannot be learned from any more, and
    RefusedError where its bundle is missing or damaged.
    """
    trained = ledger.training_of(connection, version)
    if trained is None:
        raise ValueError(f"version {version} was never trained")
    missing = [name for name in NEEDED if name not in trained]
    if missing:
        reason = f"Version {version} does not say its {', '.join(missing)}: the program that trained it was older."
        return Reproduction(False, [reason])
    said = _made_otherwise(trained)
    if trained["feature_list"] != features.VERSION:
        return Reproduction(False, [*said, f"Run --reproduce with the code of commit {trained['commit']}."])
    first = registry.servable(blobs, trained)
    progress(0.0, "Rebuilding the snapshot")
    until = comparison.moment(trained["data_until"])
    taken = snapshot.take(connection, until, trained["seq"])
    if taken.digest != trained["data_digest"]:
        reason = (
            f"The snapshot at {trained['data_until']}, seq {trained['seq']}, has {len(taken.positions):,} flights and "
            f"the digest {taken.digest}, and not {trained['snapshot_flights']:,} and {trained['data_digest']}: these "
            "are not the facts that it was trained on."
        )
        return Reproduction(False, [*said, reason])
    learned = taken.positions[taken.departures(taken.positions) <= comparison.fitted_until(trained)]
    how = Recipe(trained["seed"], trained["parameters"])
    fitted = recipe.make(taken, learned, how, lambda part, message: progress(0.1 + 0.8 * part, message)).fitted
    content = bundle.pack(version, {}, fitted.encoder, fitted.calibration, fitted.trees)
    progress(0.9, "Asking both")
    asked = snapshot.questions(taken, taken.positions[-ROWS:])
    return _compared(first, bundle.load(content, bundle.sha256(content)), asked, said)


def _compared(
    first: Bundle, again: Bundle, asked: dict[float, npt.NDArray[np.float64]], said: list[str]
) -> Reproduction:
    rows = np.concatenate(list(asked.values()))
    one, other = first.probability(rows), again.probability(rows)
    differ = int((one != other).sum())
    what = f"{len(rows):,} predictions, for {len(rows) // len(asked):,} flights at {len(asked)} lead times"
    if differ == 0:
        return Reproduction(True, [*said, f"Version {first.version} was made again: {what}, are equal."])
    furthest = float(np.abs(one - other).max())
    reason = f"Of {what}, {differ:,} differ from those of version {first.version}, by at most {furthest:.3g}."
    return Reproduction(False, [*said, reason])


def _made_otherwise(trained: dict[str, Any]) -> list[str]:
    """A sentence for each thing that is not as it was when the version was trained."""
    now = lineage.libraries()
    then = trained.get("libraries", {})
    said = [
        f"{name} is {now.get(name, 'not installed')} now, and was {then.get(name, 'not installed')} then."
        for name in sorted({*now, *then})
        if now.get(name) != then.get(name)
    ]
    if trained["feature_list"] != features.VERSION:
        said.append(f"The feature list is {features.VERSION} now, and was {trained['feature_list']} then.")
    if trained["commit"] != lineage.commit():
        said.append(f"The code is of commit {lineage.commit()} now, and was of {trained['commit']} then.")
    return said
