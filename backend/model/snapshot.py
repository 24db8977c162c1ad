"""What a training learns from: the flights whose label was final at a moment, a digest that names them, and their
split by time. It can be taken again later, from its moment and the `seq` of its newest fact."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from backend import clock
from backend.clock import DAY, HOUR
from backend.flights.facts import unpack
from backend.flights.label import FINAL_AFTER
from backend.model import dataset, train
from backend.model.dataset import World

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NEWEST = 28 * DAY  # what is kept apart to judge on
FEWEST_DAYS = 7
LEADS_HOURS = (0.5, 2, 6, 24)  # at which versions are judged
HEADLINE_HOURS = 2


@dataclass(frozen=True)
class Snapshot:
    """The facts known at `until` (epoch seconds) and recorded up to `seq`; `positions` are the flights with a label
    that was final then, by departure, shape (n,), and `digest` is the SHA-256 of what they are."""

    world: World
    until: int
    positions: Ints
    digest: str

    @property
    def seq(self) -> int:
        """The newest fact that had been recorded."""
        return self.world.facts.seq

    def departures(self, positions: Ints) -> Ints:
        """Scheduled departures of flights, in epoch seconds, shape (n,)."""
        return self.world.flights.departure[positions]


def take(connection: Connection, until: int, seq: int | None = None, since: int = 0) -> Snapshot:
    """The snapshot at `until`, of flights that departed from `since` on; with `seq`, as it was when that fact was the
    newest."""
    here = dataset.load(connection, until, since, seq)
    positions = here.labelled(until, since)
    return Snapshot(here, until, positions, here.digest(positions))


def split(taken: Snapshot, positions: Ints) -> tuple[Ints, Ints]:
    """Those flights parted into older ones and the newest 28 days, or the newest third where that is less.

    A label may become final after the newest part begins: such flights are in neither.
    """
    departures = taken.departures(positions)
    if len(positions) == 0:
        return positions, positions
    first, last = int(departures[0]), int(departures[-1])
    begins = max(last - NEWEST, first + (last - first) * 2 // 3)
    return positions[departures + FINAL_AFTER <= begins], positions[departures >= begins]


def learnable(taken: Snapshot, positions: Ints) -> None:
    """Raises ValueError, in words, for flights from which nothing can be learned."""
    if len(positions) < train.FEWEST_FLIGHTS:
        raise ValueError(
            f"only {len(positions)} flights to learn from have a final label at {clock.iso(taken.until)}: "
            f"at least {train.FEWEST_FLIGHTS} are needed"
        )
    departures = taken.departures(positions)
    days = len(np.unique(departures // DAY))
    if days < FEWEST_DAYS:
        raise ValueError(
            f"the flights to learn from are of {days} days, from {clock.iso(departures[0])} to "
            f"{clock.iso(departures[-1])}: at least {FEWEST_DAYS} are needed"
        )
    carriers = np.unique(taken.world.flights.carrier[positions])
    if len(carriers) == 1:
        raise ValueError(
            f"all {len(positions):,} flights to learn from are of one carrier, {unpack(int(carriers[0]))}: a model "
            "of them would say nothing about the others"
        )
    two_outcomes(taken, positions, "to learn from")


def two_outcomes(taken: Snapshot, positions: Ints, what_for: str) -> None:
    """Raises ValueError, in words, where all of those flights ended alike."""
    disrupted = int(taken.world.disrupted[positions].sum())
    if disrupted in (0, len(positions)):
        which = "none" if disrupted == 0 else "each"
        raise ValueError(f"of the {len(positions):,} flights {what_for} {which} was disrupted: both kinds are needed")


def questions(taken: Snapshot, positions: Ints) -> dict[float, Floats]:
    """The features of those flights asked about at each of LEADS_HOURS, each of shape (n, f)."""
    return {lead: dataset.rows_at(taken.world, positions, int(lead * HOUR)) for lead in LEADS_HOURS}
