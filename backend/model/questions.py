"""What a replay asks: the flights of its months by departure, and the lead times at which each is asked about."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backend.clock import HOUR
from backend.model import backtest, figures
from backend.model.dataset import World
from backend.model.snapshot import LEADS_HOURS

Ints = npt.NDArray[np.int64]
Labels = npt.NDArray[np.str_]


class Questions(NamedTuple):
    """The flights of the replayed months by departure, each array of shape (n,); `day` is their local day."""

    positions: Ints
    departure: Ints
    known_at: Ints
    disrupted: Ints
    day: Ints
    origin: Labels
    carrier: Labels


def by_month(here: World) -> dict[str, Ints]:
    """The positions of each month's flights, by departure."""
    departure = here.flights.departure
    order = np.argsort(departure, kind="stable")
    found: dict[str, Ints] = {}
    first, last = (backtest.month_of(int(departure[order[place]])) for place in (0, -1))
    for month in backtest.months_between(first, last):
        ends = np.searchsorted(departure[order], (backtest.start_of(month), backtest.start_after(month)))
        if ends[0] < ends[1]:
            found[month] = order[slice(*ends)]
    return found


def of(here: World, months: Sequence[Ints]) -> Questions:
    """The questions about months of flights, given by their positions."""
    positions = np.concatenate(months)
    groups = figures.groups(here, positions)
    return Questions(
        positions,
        here.flights.departure[positions],
        here.outcome_known_at[positions],
        here.disrupted[positions],
        figures.days(here, positions),
        groups["origin"],
        groups["carrier"],
    )


def leads_seconds() -> Ints:
    """LEADS_HOURS in seconds, shape (leads, 1)."""
    return np.array([[int(hours * HOUR)] for hours in LEADS_HOURS], np.int64)
