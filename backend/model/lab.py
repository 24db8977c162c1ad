"""The lab: what policies share when history is replayed under them. Features, fits and answers are each made once.

Work is handed to a pool (Dask's client) and named by what it is of, so that two policies that train on the same flights
share one fit. Nothing here looks ahead: a model knows what was final at its moment, and answers from then on.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from backend.clock import DAY, HOUR
from backend.model import backtest, pieces, questions, snapshot, train
from backend.model.dataset import World
from backend.model.pieces import Learned, Model
from backend.model.recipe import SEED
from backend.model.snapshot import Snapshot

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Future(Protocol):
    """A value that is being made."""

    def result(self) -> Any:
        """The value; raises what its making raised."""


class Pool(Protocol):
    """Where work is done: distributed.Client."""

    def submit(self, func: Callable, *args: Any, pure: bool, priority: int) -> Future:
        """The future of func(*args), in which futures among the arguments are replaced by their values."""

    def scatter(self, data: Any, *, hash: bool) -> Future:  # pylint: disable=redefined-builtin
        """A future that holds these data."""

    def cancel(self, futures: list[Any]) -> None:
        """Gives those futures up."""


@dataclass(frozen=True)
class Recipe:
    """How every model of a replay is made. Each flight is asked about once and not, as in training, at all of its
    `dataset.DRAWS` lead times: that takes a third of the time and is as good within .001 (docs/policies.md)."""

    seed: int = SEED
    parameters: Mapping[str, Any] = field(default_factory=lambda: train.PARAMETERS)
    draws: int = 1


class Version(NamedTuple):
    """A model that is being made, from `flights` flights, the newest of which departed at `learned.last`. The `newest`
    of them are those that it was calibrated on."""

    learned: Learned
    newest: Learned
    flights: int
    model: Future

    def ready(self) -> Model:
        """The model, once it is made. Raises ValueError where nothing could be learned."""
        made: Model = self.model.result()
        return made


class Lab:
    """One replay of `months` (YYYY-MM, in order) over what is known to `here`.

    Raises ValueError for a month without flights that have an outcome.
    """

    def __init__(self, pool: Pool, here: World, months: Sequence[str], how: Recipe) -> None:
        self.here, self.months, self.how, self._pool = here, tuple(months), how, pool
        self.begin = backtest.start_of(self.months[0])
        self._positions = questions.by_month(here)
        for month in months:
            if not (here.disrupted[self._positions.get(month, np.zeros(0, np.int64))] >= 0).any():
                raise ValueError(f"the research store holds no flights with an outcome in {month}")
        self.questions = questions.of(here, [self._positions[month] for month in self.months])
        sizes = [len(self._positions[month]) for month in self.months]
        self._bounds = dict(zip(self.months, np.concatenate([[0], np.cumsum(sizes)]).tolist(), strict=False))
        self._lock = threading.Lock()
        self._kept: dict[tuple[Any, ...], Future] = {}
        self._world = pool.scatter(here, hash=False)

    def train(
        self, until: int, window_days: int | None = None, *, without_newest: bool = False, soon: int = 0
    ) -> Version:
        """A model of what was final at `until`: all of it, or that of the newest days; without the newest 28 days
        where these are to judge it. `soon` is the priority of its making.

        Raises ValueError, in words, for flights from which nothing can be learned.
        """
        since = 0 if window_days is None else until - window_days * DAY
        taken = Snapshot(self.here, until, self.here.labelled(until, since), "")
        positions = snapshot.split(taken, taken.positions)[0] if without_newest else taken.positions
        snapshot.learnable(taken, positions)
        older, newest = snapshot.split(taken, positions)
        snapshot.learnable(taken, older)
        departure = self.here.flights.departure
        final, rehearsed = (Learned(since, until, int(departure[part[-1]])) for part in (positions, older))
        judged = Learned(int(departure[newest[0]]), until, final.last)
        model = self._once(
            ("model", final),
            pieces.calibrated,
            self._trees(rehearsed, soon),
            self._trees(final, soon),
            self._asked(judged.since, judged.last),
            judged,
            soon=soon,
        )
        return Version(final, judged, len(positions), model)

    def answers(self, version: Version, month: str) -> Floats:
        """What a version answers about a month at LEADS_HOURS: shape (leads, n), by departure. Waits for it."""
        answered: Floats = self.ask(version, month).result()
        return answered

    def ask(self, version: Version, month: str) -> Future:
        """The future of `answers`."""
        (asked,) = self._asked(backtest.start_of(month), backtest.start_of(month))
        return self._once(("answers", version.learned, month), pieces.answers, version.model, asked)

    def distances(self, version: Version, since: int, until: int) -> Floats:
        """How far each feature has moved, in questions from `since` to `until`, from what the version learned from."""
        of = version.newest
        known = self._once(("reference", of), pieces.reference, self._asked(of.since, of.last), of, soon=1)
        asked = self._asked(since, until + snapshot.HEADLINE_HOURS * HOUR)
        moved: Floats = self._once(
            ("distances", of, since, until), pieces.distances, known, asked, since, until, soon=1
        ).result()
        return moved

    def made(self) -> list[tuple[Any, ...]]:
        """What was made or is being made, once each: its kind and what it is of."""
        with self._lock:
            return list(self._kept)

    def stop(self) -> None:
        """Nothing that waits will be made: whoever waits for it is told so by an error."""
        with self._lock:
            self._pool.cancel(list(self._kept.values()))

    def of_month(self, month: str) -> slice:
        """Where that month's flights stand in `questions`."""
        begin = self._bounds[month]
        return slice(begin, begin + len(self._positions[month]))

    def _trees(self, which: Learned, soon: int) -> Future:
        how = self.how
        return self._once(
            ("trees", which), pieces.trees, self._drawn(which), which, how.seed, dict(how.parameters), soon=soon
        )

    def _drawn(self, which: Learned) -> list[Future]:
        how = self.how
        return [
            self._once(("drawn", month), pieces.drawn, self._world, self._positions[month], how.draws, how.seed)
            for month in self._months(which.since, which.last)
        ]

    def _asked(self, since: int, last: int) -> list[Future]:
        """The questions of the months from one departure to another."""
        return [
            self._once(("asked", month), pieces.asked, self._world, self._positions[month])
            for month in self._months(since, last)
        ]

    def _months(self, since: int, last: int) -> list[str]:
        first, newest = (backtest.month_of(moment) for moment in (since, last))
        return [month for month in self._positions if first <= month <= newest]

    def _once(self, key: tuple[Any, ...], work: Callable, *inputs: Any, soon: int = 0) -> Future:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = self._pool.submit(work, *inputs, pure=False, priority=soon)
            return self._kept[key]
