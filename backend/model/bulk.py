"""Answers about a whole file: by one version, from one state of the log, however long the file takes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from backend.flights import features
from backend.flights.features import Flights
from backend.flights.history import History
from backend.model.bundle import Bundle
from backend.model.serving import Serving

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scorer:
    """A version and what was known at `as_of` (epoch seconds). A promotion or a late fact changes no row of a file.

    Its trees are the compiled ones, as in /predict: LightGBM takes half their time (0.1 s for 10,000 rows), but its
    import is 2 s, and it would be a second way to the same answer.
    """

    bundle: Bundle
    history: History
    as_of: int

    @classmethod
    def now(cls, connection: Connection, serving: Serving, as_of: int) -> "Scorer":
        """What serves now, and what is recorded now. Raises NoChampionError."""
        return cls(serving.champion(connection)[0], serving.history(connection, as_of), as_of)

    def probability(self, flights: Flights) -> Floats:
        """The probability of disruption of each flight: shape (n,)."""
        rows = features.build(flights, np.full(len(flights), self.as_of, np.int64), self.history)
        return self.bundle.probability(rows)
