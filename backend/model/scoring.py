"""What turns features into a probability after the trees are made: encoder, calibration, bands. Numpy only."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from backend.flights import features
from backend.flights.facts import pack, unpack

Floats = npt.NDArray[np.float64]

_LEAD_MINUTES = features.names().index("lead_minutes")
LOW_BELOW = 0.20
HIGH_FROM = 0.45
BANDS = ("low", "medium", "high")


@dataclass(frozen=True)
class Encoder:
    """Numbers for categories: `rates` maps each category's packed codes to a rate; an unseen code gets `mean`."""

    mean: float
    rates: dict[str, dict[int, float]]

    @cached_property
    def _tables(self) -> list[tuple[int, Floats, Floats]]:
        """For each category its column, the known codes in order, and their numbers. The first is no code's: it stands
        for all that are not known."""
        tables = []
        for name, rates in self.rates.items():
            codes = sorted(rates)
            numbers = [self.mean, *(rates[code] for code in codes)]
            tables.append((features.names().index(name), np.array([-np.inf, *codes]), np.array(numbers)))
        return tables

    def encode(self, rows: Floats) -> Floats:
        """A copy of rows (n, f) with each category's codes replaced by their numbers."""
        encoded = rows.copy()
        for position, codes, numbers in self._tables:
            asked = rows[:, position]
            place = codes.searchsorted(asked, "right") - 1
            encoded[:, position] = numbers[np.where(codes[place] == asked, place, 0)]
        return encoded

    def to_json(self) -> dict[str, object]:
        """The encoder as JSON, with codes that a person can read."""
        return {
            "mean": self.mean,
            "rates": {name: {unpack(code): rate for code, rate in rates.items()} for name, rates in self.rates.items()},
        }

    @classmethod
    def from_json(cls, said: dict) -> "Encoder":
        """The encoder that `to_json` wrote."""
        rates = {name: {pack(code): rate for code, rate in rates.items()} for name, rates in said["rates"].items()}
        return cls(said["mean"], rates)


@dataclass(frozen=True)
class Calibration:
    """slope * log-odds + intercept, to each of which every day of lead time adds something."""

    slope: float = 1.0
    intercept: float = 0.0
    slope_a_day: float = 0.0
    intercept_a_day: float = 0.0

    def scale(self, lead_days: Floats) -> Floats:
        """What log-odds are multiplied by for questions that many days before departure, shape (n,)."""
        return self.slope + self.slope_a_day * lead_days

    def apply(self, raw: Floats, lead_days: Floats) -> Floats:
        """Calibrated log-odds, shape (n,)."""
        return self.scale(lead_days) * raw + (self.intercept + self.intercept_a_day * lead_days)


def lead_days(rows: Floats) -> Floats:
    """How many days before departure each of rows of `features.build` was asked about: shape (n,)."""
    return rows[:, _LEAD_MINUTES] / (24 * 60)


def sigmoid(log_odds_: Floats) -> Floats:
    """Probabilities of log-odds, shape (n,)."""
    return 1 / (1 + np.exp(-log_odds_))


def log_odds(probability: Floats) -> Floats:
    """Log-odds of probabilities, shape (n,)."""
    return np.log(probability / (1 - probability))


def band(probability: float) -> str:
    """low below 20 %, high from 45 %, medium between: usual, worth a look, and likely enough to plan for."""
    if probability < LOW_BELOW:
        return "low"
    return "medium" if probability < HIGH_FROM else "high"
