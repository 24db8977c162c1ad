"""The groups that a flight belongs to, such as its route or its carrier at its origin, each with a key of 31 bits."""

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

# A key holds the group's number (4 bits) and its two parts.
_FIRST_BITS, _SECOND_BITS = 13, 14
_GROUPS = {
    "all": (0, "none", "none"),
    "origin": (1, "origin", "none"),
    "carrier": (2, "carrier", "none"),
    "dest": (3, "dest", "none"),
    "region": (4, "region", "none"),
    "origin_carrier": (5, "origin", "carrier"),
    "origin_hour": (6, "origin", "hour"),
    "route": (7, "origin", "dest"),
    "number": (8, "carrier", "number"),
    "carrier_dest": (9, "carrier", "dest"),
    "carrier_hour": (10, "carrier", "hour"),
    # The group origin_hour again, at the hour of asking.
    "origin_now": (6, "origin", "hour_now"),
}
MOST_AIRPORTS, MOST_CARRIERS, LARGEST_NUMBER = 1 << _FIRST_BITS, (1 << _FIRST_BITS) - 1, (1 << _SECOND_BITS) - 1


class Parts(NamedTuple):
    """What keys are made of, each of shape (n,): positions of airports, numbers of carriers and flights, the region of
    the destination, and the local hours at the origin of the scheduled departure and of asking."""

    origin: Ints
    carrier: Ints
    number: Ints
    dest: Ints
    region: Ints
    hour: Ints
    hour_now: Ints


def keys(names: tuple[str, ...], parts: Parts) -> Ints:
    """The flights' keys in the groups of those names: shape (groups, n)."""
    groups, firsts, seconds = _columns(names)
    table = np.zeros((1 + len(parts), len(parts.origin)), np.int64)
    for row, part in enumerate(parts, start=1):
        table[row] = part
    return groups | table[firsts] << _SECOND_BITS | table[seconds]


@cache
def _columns(names: tuple[str, ...]) -> tuple[Ints, Ints, Ints]:
    """The groups' numbers in their place in a key, shape (groups, 1), and which rows of parts they take."""
    rows = ("none", *Parts._fields)
    numbers, firsts, seconds = zip(*(_GROUPS[name] for name in names), strict=True)
    shifted = np.array(numbers, np.int64)[:, None] << _FIRST_BITS + _SECOND_BITS
    return shifted, np.array([rows.index(part) for part in firsts]), np.array([rows.index(part) for part in seconds])


class Carriers:
    """Small numbers for carriers by packed code: from 1 in the order of `codes` (c,), and 0 for all others."""

    def __init__(self, codes: Ints) -> None:
        if len(codes) > MOST_CARRIERS:
            raise ValueError(f"{len(codes):,} carriers are more than keys have room for, {MOST_CARRIERS:,}")
        # The first is no carrier's code, so that a search for what comes before always finds one.
        self.codes = codes
        order = np.argsort(codes)
        self._sorted = np.concatenate([[-1], codes[order]])
        self._numbers = np.concatenate([[0], order + 1])

    def and_also(self, codes: Ints) -> "Carriers":
        """These, with their numbers, and after them those of `codes` that are new."""
        return Carriers(np.concatenate([self.codes, np.setdiff1d(codes, self.codes)]))

    def numbers(self, codes: Ints) -> Ints:
        """The numbers of packed codes, shape (n,)."""
        place = self._sorted.searchsorted(codes, "right") - 1
        return np.where(self._sorted[place] == codes, self._numbers[place], 0)
