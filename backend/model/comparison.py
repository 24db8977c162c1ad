"""Two versions asked about the same flights, which neither had learned from, and the verdict on them."""

from datetime import datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from backend import clock
from backend.model import figures, promotion, snapshot
from backend.model.bundle import Bundle
from backend.model.promotion import Verdict
from backend.model.registry import Judged
from backend.model.snapshot import Snapshot
from backend.store.deployments import Deployment

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Said = dict[str, Any]


class Model(Protocol):
    """Whatever answers: a bundle, or a model that was just fitted."""

    def probability(self, rows: Floats) -> Floats:
        """The probability of disruption for rows of `features.build`: shape (n,)."""


def fitted_until(metadata: Said) -> int:
    """The scheduled departure (epoch seconds) of the last flight that a version has learned from.

    Versions that do not say so learned from everything that was final at their `data_until`.
    """
    return moment(metadata.get("fitted_until") or metadata["data_until"])


def moment(iso: str) -> int:
    """The second that a version's metadata names, in epoch seconds."""
    return clock.to_epoch(datetime.fromisoformat(iso))


def unseen(taken: Snapshot, positions: Ints, *metadata: Said) -> Ints:
    """Those of the flights that departed after all that these versions have learned from."""
    return positions[taken.departures(positions) > max(fitted_until(said) for said in metadata)]


def compare(taken: Snapshot, positions: Ints, champion: Model, challenger: Model) -> Verdict:
    """The verdict on two models by their answers about those flights, at LEADS_HOURS before departure each."""
    asked, here = snapshot.questions(taken, positions), taken.world
    leads = len(asked)
    slices = {name: np.tile(labels, leads) for name, labels in figures.groups(here, positions).items()}
    return promotion.judge(
        day=np.tile(figures.days(here, positions), leads),
        flight=np.tile(positions, leads),
        truth=np.tile(here.disrupted[positions], leads),
        champion=np.concatenate([champion.probability(rows) for rows in asked.values()]),
        challenger=np.concatenate([challenger.probability(rows) for rows in asked.values()]),
        slices={**slices, "lead": np.repeat([f"{hours:g} h" for hours in asked], len(positions))},
    )


def judge(taken: Snapshot, champion: Bundle, deployment: Deployment, challenger: Model, metadata: Said) -> Judged:
    """The verdict on a new version by the newest flights that neither it nor the champion has learned from.

    `deployment` is the one that stands, and `metadata` the new version's.
    """
    _, newest = snapshot.split(taken, taken.positions)
    window = unseen(taken, newest, champion.metadata, metadata)
    verdict = compare(taken, window, champion, challenger)
    said = about(taken, window)
    return Judged(champion.version, deployment.id, verdict.verdict, verdict.sentence, verdict.numbers, said)


def about(taken: Snapshot, positions: Ints) -> Said:
    """Which flights were judged: `from`, `until` (ISO 8601, null for none), `flights`, `leads_hours`, `days`."""
    departures = taken.departures(positions)
    ends = (departures.min(), departures.max()) if len(positions) else (None, None)
    return {
        "from": clock.iso(ends[0]),
        "until": clock.iso(ends[1]),
        "flights": len(positions),
        "days": len(np.unique(figures.days(taken.world, positions))),
        "leads_hours": list(snapshot.LEADS_HOURS),
    }
