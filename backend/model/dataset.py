"""From facts to rows for learning: labels, when they were final, and each flight asked about at several lead times."""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, func, select

from backend.clock import HOUR, MINUTE
from backend.flights import facts as facts_module
from backend.flights import features
from backend.flights.facts import Facts
from backend.flights.features import Flights
from backend.flights.history import LONGEST_WINDOW, SCHEDULES_BEFORE, History
from backend.flights.label import ARRIVED, FINAL_AFTER, LATE_MINUTES
from backend.flights.places import Airport, Places
from backend.flights.windows import FOREVER
from backend.store import events as log
from backend.store import sql

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


HEADLINE_LEAD = 2 * HOUR
DRAWS = 3  # how often each flight of the training data is asked about


@dataclass(frozen=True)
class World:
    """A stretch of the log, ready to build features from: `flights` and `disrupted` have one place a flight.

    `disrupted` is 1, 0, or -1 where no outcome is known; `outcome_known_at` is when it became known.
    """

    facts: Facts
    history: History
    flights: Flights
    disrupted: Ints
    outcome_known_at: Ints

    def labelled(self, until: int, since: int = 0) -> Ints:
        """Positions of flights whose label was final at `until`, that departed from `since` on, by departure.

        Final is 36 h after the scheduled departure, with an outcome that was known by `until`.
        """
        departure = self.flights.departure
        known = final(departure, self.outcome_known_at, self.disrupted, until)
        positions = np.flatnonzero(known & (departure >= since))
        return positions[np.argsort(departure[positions], kind="stable")]

    def digest(self, positions: Ints) -> str:
        """A name for a data set: the SHA-256 of its flights, schedules and labels."""
        names = np.array(sorted(self.facts.flights, key=self.facts.flights.__getitem__), dtype="S40")
        content = hashlib.sha256(names[positions].tobytes())
        for column in (self.flights.departure, self.flights.arrival, self.disrupted):
            content.update(np.ascontiguousarray(column[positions]).tobytes())
        return content.hexdigest()


def final(departure: Ints, known_at: Ints, disrupted: Ints, until: int) -> npt.NDArray[np.bool_]:
    """Of which flights the label was final, and known, at `until`: shape (n,)."""
    return (departure + FINAL_AFTER <= until) & (known_at <= until) & (disrupted >= 0)


def places(connection: Connection) -> Places:
    """The airports of the store."""
    return Places(Airport(*row) for row in connection.execute(select(sql.airports)))


def count_places(connection: Connection) -> int:
    """How many airports the store knows."""
    return connection.scalar(select(func.count()).select_from(sql.airports)) or 0


def load(connection: Connection, until: int, since: int = 0, seq: int | None = None) -> World:
    """Everything that was known by `until` about flights from `since` on, with the history that they need.

    With `seq`, only what had been recorded by then: the same world as it was loaded when that fact was the newest.
    """
    start = max(0, since - LONGEST_WINDOW - features.LONGEST_LEAD)
    rows = log.known_between(connection, start, until, max(0, start - SCHEDULES_BEFORE), seq)
    return world(facts_module.from_rows(rows), places(connection))


def world(facts: Facts, where: Places) -> World:
    """The world that those facts make."""
    flights = features.flights_in(facts)
    disrupted = np.full(len(flights), -1, np.int64)
    known_at = np.full(len(flights), FOREVER, np.int64)
    ends = facts.outcomes
    # The row that was recorded last has the word: later rows overwrite earlier ones.
    disrupted[ends.subject] = ((ends.value & 3) != ARRIVED) | ((ends.value >> 2) >= LATE_MINUTES)
    known_at[ends.subject] = ends.known_at
    return World(facts, History(facts, where), flights, disrupted, known_at)


def draw_leads(count: int, rng: np.random.Generator) -> list[Ints]:
    """How long before departure each of `count` flights is asked about, in seconds, once for each draw.

    Once two hours before, when plans are still changed and by which models are compared; once around that, where
    knowledge grows fastest; and once from the whole day before, more of it late than early.
    """
    headline = np.full(count, HEADLINE_LEAD, np.int64)
    late = (1 + 2.5 * rng.random(count)) * HOUR
    early = rng.random(count) ** 1.5 * features.LONGEST_LEAD
    return [headline, *((lead // MINUTE * MINUTE).astype(np.int64) for lead in (late, early))]


def training_rows(here: World, positions: Ints, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Features of shape (n * draws, f) and labels of shape (n * draws,) for those flights."""
    asked = here.flights.take(positions)
    draws = [features.build(asked, asked.departure - lead, here.history) for lead in draw_leads(len(asked), rng)]
    return np.concatenate(draws), np.tile(here.disrupted[positions], len(draws))


def rows_at(here: World, positions: Ints, lead: int) -> Floats:
    """Features of those flights, asked about `lead` seconds before departure: shape (n, f)."""
    asked = here.flights.take(positions)
    return features.build(asked, asked.departure - lead, here.history)
