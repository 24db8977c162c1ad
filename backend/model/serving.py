"""What answers in an API process: the champion's bundle, a challenger in its shadow, and the history of features.

All are brought up to date on asking. Nothing here is the truth: `deployments` says what serves, the ledger what runs
in the shadow and the event log what is known, so that processes agree.
"""

import logging
import threading
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from backend.flights import features
from backend.flights.features import Flights
from backend.flights.history import History
from backend.model import bundle
from backend.model.bundle import Bundle, BundleError
from backend.model.recall import Recall
from backend.store import deployments, shadows
from backend.store.blobs import Blobs
from backend.store.deployments import Deployment

Floats = npt.NDArray[np.float64]
logger = logging.getLogger(__name__)


class NoChampionError(RuntimeError):
    """Nothing serves yet, or what was deployed cannot be loaded; the sentence says which."""


@dataclass(frozen=True)
class Answer:
    """Probabilities of shape (n,), and what they were made from: the features `rows` (n, f), version, metadata, and
    the `seq` up to which facts were recorded."""

    probability: Floats
    rows: Floats
    version: int
    metadata: dict[str, Any]
    seq: int


class Shadowed(NamedTuple):
    """What the version in the shadow would have answered: shape (n,)."""

    version: int
    probability: Floats


class Serving:
    """The champion, its shadow and the history of one process. Its methods may be called from several threads."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._lock = threading.Lock()
        self._state: tuple[int | None, int | None] | None = None
        self._champion: tuple[int, Bundle] | None = None
        self._broken: list[str] = []
        self._shadow: tuple[int, Bundle] | None = None
        self._shadow_faults: list[str] = []
        self._recall = Recall()

    def champion(self, connection: Connection) -> tuple[Bundle, list[str]]:
        """The bundle that answers, and a sentence for each newer deployment that cannot be loaded.

        While the newest cannot, the one before it goes on answering, in every process alike. Each request tries the
        newest again, since it may be repaired. Raises NoChampionError.
        """
        state = shadows.state(connection)
        with self._lock:
            if state != self._state or self._champion is None or self._broken:
                self._champion, self._broken = self._newest_champion(connection)
            if state != self._state:
                self._shadow, self._shadow_faults = self._newest_shadow(connection)
            self._state = state
            return self._champion[1], list(self._broken)

    def shadow_faults(self) -> list[str]:
        """Why challengers that should run in the shadow do not, a sentence each."""
        return list(self._shadow_faults)

    def _newest_champion(self, connection: Connection) -> tuple[tuple[int, Bundle], list[str]]:
        deployment = deployments.current(connection)
        if deployment is None:
            raise NoChampionError("No champion is deployed yet: run python -m jobs.training.")
        broken: list[str] = []
        while deployment is not None:
            try:
                return self._loaded(deployment), broken
            except (OSError, BundleError) as error:
                broken.append(f"Version {deployment.version} cannot be loaded: {error}.")
                deployment = deployments.before(connection, deployment.id)
        raise NoChampionError(" ".join(broken))

    def _loaded(self, deployment: Deployment) -> tuple[int, Bundle]:
        if self._champion is not None and self._champion[0] == deployment.id:
            return self._champion
        content = self._blobs.read(deployment.bundle)
        return deployment.id, bundle.load(content, deployment.bundle_sha256)

    def _newest_shadow(self, connection: Connection) -> tuple[tuple[int, Bundle] | None, list[str]]:
        """The newest kept challenger that can be loaded. One that cannot is tried again when something is decided."""
        faults: list[str] = []
        deployment = deployments.current(connection)
        for shadow in [] if deployment is None else shadows.candidates(connection, deployment):
            if self._shadow is not None and self._shadow[0] == shadow.decision_id:
                return self._shadow, faults
            try:
                loaded = bundle.load(self._blobs.read(shadow.bundle), shadow.bundle_sha256)
                return (shadow.decision_id, loaded), faults
            except (OSError, BundleError) as error:
                faults.append(f"Version {shadow.version} cannot run in the shadow: {error}.")
                logger.warning(faults[-1])
        return None, faults

    def shadow(self, rows: Floats) -> Shadowed | None:
        """What the version in the shadow says of rows of `features.build`; None where there is none, or it fails.

        Whatever it does, the champion's answer is not touched: one that fails is not asked again.
        """
        shadow = self._shadow
        if shadow is None:
            return None
        try:
            probability = shadow[1].probability(rows)
            if not ((probability >= 0) & (probability <= 1)).all():
                raise ValueError("it answered with something that is no probability")
        except Exception as error:  # pylint: disable=broad-exception-caught
            fault = f"Version {shadow[1].version} failed in the shadow and is not asked any more: {error}."
            logger.exception("version %s failed in the shadow", shadow[1].version)
            with self._lock:
                if self._shadow is shadow:
                    self._shadow, self._shadow_faults = None, [*self._shadow_faults, fault]
            return None
        return Shadowed(shadow[1].version, probability)

    def history(self, connection: Connection, as_of: int) -> History:
        """History for questions at `as_of`, with every fact that was recorded until now."""
        return self._recall.history(connection, as_of)

    def answer(self, connection: Connection, flights: Flights, as_of: int) -> Answer:
        """The champion's probabilities for those flights, with what was known at `as_of` (epoch seconds)."""
        champion, _ = self.champion(connection)
        history = self.history(connection, as_of)
        rows = features.build(flights, np.full(len(flights), as_of, np.int64), history)
        return Answer(champion.probability(rows), rows, champion.version, champion.metadata, history.seq)
