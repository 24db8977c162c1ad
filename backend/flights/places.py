"""What airports add to flights, by packed code: distance, region and local time."""

import math
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backend.flights.facts import pack_all
from backend.flights.local_time import to_local

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_MILES_PER_RADIAN = 3958.8


class Airport(NamedTuple):
    """`latitude` and `longitude` in degrees; `time_zone` as in the IANA database."""

    code: str
    name: str
    latitude: float
    longitude: float
    time_zone: str


class Places:
    """Airports, looked up by packed code for arrays of flights."""

    def __init__(self, airports: Iterable[Airport]) -> None:
        self._airports = sorted(airports, key=lambda airport: int(pack_all([airport.code])[0]))
        self.codes = pack_all(airport.code for airport in self._airports)
        self.zones = tuple(sorted({airport.time_zone for airport in self._airports}))
        self._zone = np.array([self.zones.index(airport.time_zone) for airport in self._airports], np.int64)
        self._distances: dict[int, float] = {}

    @cached_property
    def _regions(self) -> Ints:
        cells = [
            (math.floor(airport.latitude / 4) + 32) * 128 + math.floor(airport.longitude / 5) + 64
            for airport in self._airports
        ]
        return np.array(cells, np.int64)

    def positions(self, codes: Ints) -> Ints:
        """Positions of packed codes, shape (n,). Raises KeyError for an airport that is not known."""
        if len(codes) == 0:
            return np.zeros(0, np.int64)
        positions = np.searchsorted(self.codes, codes)
        positions[positions == len(self.codes)] = 0
        if not np.array_equal(self.codes[positions], codes):
            raise KeyError("a flight names an airport that is not known")
        return positions

    def region(self, codes: Ints) -> Ints:
        """The cell of 4° by 5° that each airport lies in, shape (n,)."""
        return self._regions[self.positions(codes)]

    def local(self, epoch: Ints, codes: Ints) -> Ints:
        """Local seconds at each airport for epoch seconds, both of shape (n,)."""
        return to_local(epoch, self._zone[self.positions(codes)], self.zones)

    def distance_miles(self, origins: Ints, dests: Ints) -> Floats:
        """Great-circle distance of each pair of airports, shape (n,)."""
        pairs, inverse = np.unique(
            self.positions(origins) * len(self.codes) + self.positions(dests), return_inverse=True
        )
        return np.array([self._distance(pair) for pair in pairs.tolist()])[inverse]

    def _distance(self, pair: int) -> float:
        if pair not in self._distances:
            here, there = (self._airports[position] for position in divmod(pair, len(self.codes)))
            latitudes = math.radians(here.latitude), math.radians(there.latitude)
            east = math.radians(there.longitude - here.longitude)
            # Haversine formula.
            chord = (
                math.sin((latitudes[1] - latitudes[0]) / 2) ** 2
                + math.cos(latitudes[0]) * math.cos(latitudes[1]) * math.sin(east / 2) ** 2
            )
            self._distances[pair] = round(2 * _MILES_PER_RADIAN * math.asin(math.sqrt(chord)), 1)
        return self._distances[pair]
