"""Where a version comes from: its data, recipe, code and libraries, so that it can be made again."""

import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backend import clock
from backend.flights import features
from backend.model.recipe import Recipe
from backend.model.snapshot import Snapshot

Ints = npt.NDArray[np.int64]

LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy", "lightgbm", "treelite")


def of(taken: Snapshot, learned: Ints, how: Recipe, now: int) -> dict[str, Any]:
    """What a version's metadata says of its making: all JSON.

    `data_until` is the moment whose knowledge was used, `seq` the newest fact that had been recorded, `data_digest`
    the digest of the whole snapshot; `flights`, `data_from`, `fitted_until` (scheduled departures of the first and the
    last) and `base_rate` are of what it has learned from.
    """
    departures = taken.departures(learned)
    return {
        "trained_at": clock.iso(now),
        "data_from": clock.iso(departures[0]),
        "fitted_until": clock.iso(departures[-1]),
        "data_until": clock.iso(taken.until),
        "seq": taken.seq,
        "snapshot_flights": len(taken.positions),
        "data_digest": taken.digest,
        "flights": len(learned),
        "base_rate": float(taken.world.disrupted[learned].mean()),
        "seed": how.seed,
        "parameters": dict(how.parameters),
        "feature_list": features.VERSION,
        "commit": commit(),
        "libraries": libraries(),
    }


def commit() -> str:
    """The git commit of the code that runs, with "+" where files differ from it; "unknown" outside a checkout."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    said = [
        subprocess.run([git, *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
        for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain"))
    ]
    if said[0].returncode:
        return "unknown"
    return said[0].stdout.strip() + ("+" if said[1].stdout.strip() else "")


def libraries() -> dict[str, str]:
    """The versions of Python and of those of LIBRARIES that are installed, by name."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
