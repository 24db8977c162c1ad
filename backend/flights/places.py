"""What airports add to flights, by packed code: distance, region and local time."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backend.flights.facts import pack_all
from backend.flights.groups import MOST_AIRPORTS
from backend.flights.local_time import clocks

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
    """Airports, looked up by packed code or by position for arrays of flights."""

    def __init__(self, airports: Iterable[Airport]) -> None:
        self._airports = sorted(airports, key=lambda airport: int(pack_all([airport.code])[0]))
        if len(self._airports) > MOST_AIRPORTS:
            raise ValueError(f"{len(self._airports):,} airports are more than keys have room for, {MOST_AIRPORTS:,}")
        self._codes = pack_all(airport.code for airport in self._airports)
        self.zones = tuple(sorted({airport.time_zone for airport in self._airports}))
        # A search for what comes before the first finds position -1: the last here, which is no airport's code.
        self._code_at = np.append(self._codes, -1)
        self._zone = np.array([self.zones.index(airport.time_zone) for airport in self._airports], np.int64)
        self._regions = np.array([_region(airport) for airport in self._airports], np.int64)
        self._clocks = clocks(self.zones)
        self._distances: dict[tuple[int, int], float] = {}

    def __len__(self) -> int:
        return len(self._airports)

    def positions(self, codes: Ints) -> Ints:
        """Positions of packed codes, any shape. Raises KeyError for an airport that is not known."""
        positions = self._codes.searchsorted(codes, "right") - 1
        if (self._code_at[positions] != codes).any():
            raise KeyError("a flight names an airport that is not known")
        return positions

    def regions(self, positions: Ints) -> Ints:
        """The cell of 4° by 5° that each airport lies in, below 2**13, by positions of shape (n,)."""
        return self._regions[positions]

    def region(self, codes: Ints) -> Ints:
        """The cell of 4° by 5° that each airport lies in, by packed codes of shape (n,)."""
        return self._regions[self.positions(codes)]

    def local(self, epoch: Ints, codes: Ints) -> Ints:
        """Local seconds at each airport for epoch seconds, by packed codes, both of shape (n,)."""
        return self.local_at(epoch, self.positions(codes))

    def local_at(self, epoch: Ints, positions: Ints) -> Ints:
        """Local seconds at each airport for epoch seconds, by positions; the shapes broadcast."""
        return self._clocks.local(epoch, self._zone[positions])

    def distance_miles(self, origins: Ints, dests: Ints) -> Floats:
        """Great-circle distance of each pair of airports, by positions of shape (n,)."""
        known = self._distances
        pairs = zip(origins.tolist(), dests.tolist(), strict=True)
        return np.array([known.get(pair) or self._distance(pair) for pair in pairs], np.float64)

    def _distance(self, pair: tuple[int, int]) -> float:
        here, there = (self._airports[position] for position in pair)
        latitudes = math.radians(here.latitude), math.radians(there.latitude)
        east = math.radians(there.longitude - here.longitude)
        # Haversine formula.
        chord = (
            math.sin((latitudes[1] - latitudes[0]) / 2) ** 2
            + math.cos(latitudes[0]) * math.cos(latitudes[1]) * math.sin(east / 2) ** 2
        )
        miles = round(2 * _MILES_PER_RADIAN * math.asin(math.sqrt(chord)), 1)
        self._distances[pair] = miles
        return miles


def _region(airport: Airport) -> int:
    return (math.floor(airport.latitude / 4) + 32) * 128 + math.floor(airport.longitude / 5) + 64
