"""What answers in an API process: the champion's bundle, a challenger in its shadow, and the history of features.

All are brought up to date on asking, and versions that answered before are at hand for their reasons. Nothing here is
the truth: `deployments` says what serves, the ledger what runs in the shadow and the event log what is known, so that
processes agree.
"""

import logging
import threading
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from backend.flights import features
from backend.flights.facts import Facts
from backend.flights.features import Flights
from backend.flights.history import History
from backend.model import bundle
from backend.model.bundle import Bundle, BundleError
from backend.model.recall import Recall
from backend.store import deployments, shadows
from backend.store.blobs import Blobs

Floats = npt.NDArray[np.float64]
logger = logging.getLogger(__name__)

# The champion, its shadow, and versions before them, whose answers may still have to be explained.
KEPT_BUNDLES = 4


class NoChampionError(RuntimeError):
    """Nothing serves yet, or what was deployed cannot be loaded; the sentence says which."""


@dataclass(frozen=True)
class Answer:
    """Probabilities of shape (n,), and what they were made from: the features `rows` (n, f), the champion's version
    and metadata, and the `seq` up to which facts were recorded. `shadow` is the challenger that ran beside it then."""

    probability: Floats
    rows: Floats
    version: int
    metadata: dict[str, Any]
    seq: int
    shadow: Bundle | None


class Shadowed(NamedTuple):
    """What the version in the shadow would have answered: shape (n,)."""

    version: int
    probability: Floats


class _Standing(NamedTuple):
    """What serves while `state` holds: the bundle that answers, why newer deployments do not, and the same for the
    shadow. One value, so that a request never sees the champion of one moment beside the shadow of another."""

    state: tuple[int | None, int | None]
    champion: Bundle
    broken: list[str]
    shadow: Bundle | None
    shadow_faults: list[str]


class Serving:
    """The champion, its shadow and the history of one process. Its methods may be called from several threads."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._lock = threading.Lock()
        self._standing: _Standing | None = None
        self._bundles: dict[str, Bundle] = {}
        self._recall = Recall()

    def champion(self, connection: Connection) -> tuple[Bundle, list[str]]:
        """The bundle that answers, and a sentence for each newer deployment that cannot be loaded.

        While the newest cannot, the one before it goes on answering, in every process alike. Each request tries the
        newest again, since it may be repaired. Raises NoChampionError.
        """
        standing = self._now(connection)
        return standing.champion, list(standing.broken)

    def shadow_faults(self) -> list[str]:
        """Why challengers that should run in the shadow do not, a sentence each."""
        standing = self._standing
        return [] if standing is None else list(standing.shadow_faults)

    def _now(self, connection: Connection) -> _Standing:
        state = shadows.state(connection)
        with self._lock:
            held = self._standing
            if held is None or held.state != state:
                champion, broken = self._newest_champion(connection)
                self._standing = _Standing(state, champion, broken, *self._newest_shadow(connection))
            elif held.broken:
                champion, broken = self._newest_champion(connection)
                self._standing = held._replace(champion=champion, broken=broken)
            assert self._standing is not None
            return self._standing

    def _newest_champion(self, connection: Connection) -> tuple[Bundle, list[str]]:
        deployment = deployments.current(connection)
        if deployment is None:
            raise NoChampionError("No champion is deployed yet: run python -m jobs.training.")
        broken: list[str] = []
        while deployment is not None:
            try:
                return self._read(deployment.bundle, deployment.bundle_sha256), broken
            except BundleError as error:
                broken.append(f"Version {deployment.version} cannot be loaded: {error}.")
                deployment = deployments.before(connection, deployment.id)
        raise NoChampionError(" ".join(broken))

    def _newest_shadow(self, connection: Connection) -> tuple[Bundle | None, list[str]]:
        """The newest kept challenger that can be loaded. One that cannot is tried again when something is decided."""
        faults: list[str] = []
        deployment = deployments.current(connection)
        for shadow in [] if deployment is None else shadows.candidates(connection, deployment):
            try:
                return self._read(shadow.bundle, shadow.bundle_sha256), faults
            except BundleError as error:
                faults.append(f"Version {shadow.version} cannot run in the shadow: {error}.")
                logger.warning(faults[-1])
        return None, faults

    def _read(self, name: str, sha256: str) -> Bundle:
        """The bundle of that name, from memory if it was read lately. The caller holds the lock."""
        if sha256 not in self._bundles:
            loaded = bundle.read(self._blobs, name, sha256)
            while len(self._bundles) >= KEPT_BUNDLES:
                del self._bundles[next(iter(self._bundles))]
            self._bundles[sha256] = loaded
        return self._bundles[sha256]

    def version(self, connection: Connection, version: int) -> Bundle:
        """The bundle of a version that answered once. Raises BundleError where it cannot be loaded any more."""
        deployment = deployments.of_version(connection, version)
        if deployment is None:
            raise BundleError("it was never deployed")
        with self._lock:
            return self._read(deployment.bundle, deployment.bundle_sha256)

    def shadow(self, answered: Answer) -> Shadowed | None:
        """What the version in the shadow says of the same rows; None where there is none, or it fails.

        Whatever it does, the champion's answer is not touched: one that fails is not asked again.
        """
        shadow = answered.shadow
        if shadow is None:
            return None
        try:
            probability = shadow.probability(answered.rows)
            if not ((probability >= 0) & (probability <= 1)).all():
                raise ValueError("it answered with something that is no probability")
        except Exception as error:  # pylint: disable=broad-exception-caught
            fault = f"Version {shadow.version} failed in the shadow and is not asked any more: {error}."
            logger.exception("version %s failed in the shadow", shadow.version)
            with self._lock:
                held = self._standing
                if held is not None and held.shadow is shadow:
                    self._standing = held._replace(shadow=None, shadow_faults=[*held.shadow_faults, fault])
            return None
        return Shadowed(shadow.version, probability)

    def history(self, connection: Connection, as_of: int) -> History:
        """History for questions at `as_of`, with every fact that was recorded until now."""
        return self._recall.history(connection, as_of)

    def remembered(self, connection: Connection, as_of: int) -> tuple[Facts, History]:
        """The same, after the facts that it is made from."""
        return self._recall.remembered(connection, as_of)

    def answer(self, connection: Connection, flights: Flights, as_of: int) -> Answer:
        """The champion's probabilities for those flights, with what was known at `as_of` (epoch seconds)."""
        standing = self._now(connection)
        history = self.history(connection, as_of)
        rows = features.build(flights, np.full(len(flights), as_of, np.int64), history)
        champion = standing.champion
        probability = champion.probability(rows)
        return Answer(probability, rows, champion.version, champion.metadata, history.seq, standing.shadow)
