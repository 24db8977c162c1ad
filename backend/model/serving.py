"""What answers in an API process: the champion's bundle and the history of features, both brought up to date on asking.

Nothing here is the truth: `deployments` says what serves and the event log what is known, so that processes agree.
"""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from backend.clock import DAY
from backend.flights import facts as facts_module
from backend.flights import features
from backend.flights.facts import Facts
from backend.flights.features import Flights
from backend.flights.history import LONGEST_WINDOW, SCHEDULES_BEFORE, History
from backend.flights.places import Places
from backend.flights.windows import FOREVER
from backend.model import bundle, dataset
from backend.model.bundle import Bundle, BundleError
from backend.store import deployments
from backend.store import events as log
from backend.store.blobs import Blobs
from backend.store.deployments import Deployment

# History is read anew when it reaches this much further back than features look.
SURPLUS_AT_MOST = 7 * DAY


class NoChampionError(RuntimeError):
    """Nothing serves yet, or what was deployed cannot be loaded; the sentence says which."""


@dataclass(frozen=True)
class Answer:
    """Probabilities of shape (n,), and what they were made from: version, metadata, and the `seq` up to which facts
    were recorded."""

    probability: npt.NDArray[np.float64]
    version: int
    metadata: dict[str, Any]
    seq: int


class Serving:
    """The champion and the history of one process. Its methods may be called from several threads."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._lock = threading.Lock()
        self._bundle: tuple[int, Bundle] | None = None
        self._places: Places | None = None
        self._facts: Facts | None = None
        self._history: History | None = None
        self._since = 0

    def champion(self, connection: Connection) -> tuple[Bundle, list[str]]:
        """The bundle that answers, and a sentence for each newer deployment that cannot be loaded.

        While the newest cannot, the one before it goes on answering, in every process alike. Each request tries the
        newest again, since it may be repaired. Raises NoChampionError.
        """
        deployment = deployments.current(connection)
        if deployment is None:
            raise NoChampionError("No champion is deployed yet: run python -m jobs.training.")
        broken: list[str] = []
        with self._lock:
            while deployment is not None:
                try:
                    return self._loaded(deployment), broken
                except (OSError, BundleError) as error:
                    broken.append(f"Version {deployment.version} cannot be loaded: {error}.")
                    deployment = deployments.before(connection, deployment.id)
        raise NoChampionError(" ".join(broken))

    def _loaded(self, deployment: Deployment) -> Bundle:
        if self._bundle is None or self._bundle[0] != deployment.id:
            content = self._blobs.read(deployment.bundle)
            self._bundle = deployment.id, bundle.load(content, deployment.bundle_sha256)
        return self._bundle[1]

    def history(self, connection: Connection, as_of: int) -> History:
        """History for questions at `as_of`, with every fact that was recorded until now."""
        with self._lock:
            if self._places is None:
                self._places = dataset.places(connection)
            needed = as_of - LONGEST_WINDOW
            if self._facts is None or needed < self._since or needed - self._since > SURPLUS_AT_MOST:
                self._since = max(0, needed - DAY)
                # Facts that were recorded before they are known are read too: what is read later goes by `seq`.
                rows = log.known_between(connection, self._since, FOREVER, max(0, self._since - SCHEDULES_BEFORE))
                self._facts = facts_module.from_rows(rows)
                self._history = History(self._facts, self._places)
            elif log.newest_seq(connection) > self._facts.seq:
                self._facts = facts_module.from_rows(log.recorded_after(connection, self._facts.seq), self._facts)
                self._history = History(self._facts, self._places)
            assert self._history is not None
            return self._history

    def answer(self, connection: Connection, flights: Flights, as_of: int) -> Answer:
        """The champion's probabilities for those flights, with what was known at `as_of` (epoch seconds)."""
        champion, _ = self.champion(connection)
        history = self.history(connection, as_of)
        rows = features.build(flights, np.full(len(flights), as_of, np.int64), history)
        return Answer(champion.probability(rows), champion.version, champion.metadata, history.seq)
