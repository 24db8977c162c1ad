"""Features that are sums over windows of the past, or ratios of two: said as data, and looked up all together.

What a request asks of one kind of row is one search, whatever the number of columns and of flights.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from backend.clock import HOUR
from backend.flights import contributions
from backend.flights.history import LONGEST_WINDOW
from backend.flights.windows import Window, Windows, WindowSums

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# What keys and moments are asked for, in this order; windows go from one moment, with seconds added, to another.
GROUPS = (*contributions.OUTCOMES, "origin_now")
MOMENTS = ("beginning", "now", "departure", "four")
_NOW, _DEPARTURE = ("now", 0), ("departure", 0)
WINDOWS = {
    **{f"{hours}h": (("now", -hours * HOUR), _NOW) for hours in (1, 3, 6, 24, 48, 72)},
    "28d": (("now", -LONGEST_WINDOW), _NOW),
    "today": (("four", 0), _NOW),  # since four in the morning
    "until_now": (("beginning", 0), _NOW),
    "around": (("departure", -HOUR // 2), ("departure", HOUR // 2)),
    "hour_before": (("departure", -HOUR), _DEPARTURE),
    "3h_before": (("departure", -3 * HOUR), _DEPARTURE),
    "hour_after": (_DEPARTURE, ("departure", HOUR)),
}


class Column(NamedTuple):
    """A feature: the sum of the value `total` of rows of one kind in a window of a group; where `over` is said,
    divided by the sum of that, and NaN where it is 0."""

    name: str
    kind: str
    group: str
    window: str
    total: str
    over: str = ""


class Asked(NamedTuple):
    """What is asked about n flights: `keys` (groups, n), `moments` (moments, n) and `as_of` (n,)."""

    keys: Ints
    moments: Ints
    as_of: Ints


def ratio(total: npt.NDArray[Any], count: npt.NDArray[Any]) -> Floats:
    """total / count, NaN where nothing was counted."""
    out: Floats = np.full(np.shape(total), np.nan)
    np.divide(total, count, out=out, where=count != 0)
    return out


class Looked(NamedTuple):
    """What was looked up of one kind: sums of shape (windows, n, values), and the place of each among them."""

    sums: Ints
    windows: dict[tuple[str, str], int]
    values: dict[str, int]

    def of(self, group: str, window: str, value: str) -> Ints:
        """The sums of a value in a window of a group, shape (n,)."""
        return self.sums[self.windows[group, window], :, self.values[value]]

    def of_all(self, groups: Sequence[str], window: str, value: str) -> Ints:
        """The sums of a value in the same window of several groups, shape (groups, n)."""
        return self.sums[[self.windows[group, window] for group in groups], :, self.values[value]]


class Kind:
    """The columns of one kind of row, and windows of it that other features are made from."""

    def __init__(
        self, name: str, columns: Iterable[Column], names: Sequence[str], more: Iterable[tuple[str, str]] = ()
    ) -> None:
        """`names` are those of all features in order, `more` the other windows: (group, window)."""
        self.name = name
        mine = [column for column in columns if column.kind == name]
        looked = sorted({*((column.group, column.window) for column in mine), *more})
        self._windows = {pair: place for place, pair in enumerate(looked)}
        self._values = {value: place for place, value in enumerate(contributions.VALUES[name])}
        self._search = Windows([_window(*pair) for pair in looked])
        self._sums = self._places([column for column in mine if not column.over], names)
        self._ratios = self._places([column for column in mine if column.over], names)

    def _places(self, columns: list[Column], names: Sequence[str]) -> tuple[Ints, Ints, Ints, Ints]:
        """For each column its position in `names`, and those of its window, its total and what this is divided by."""
        rows = [
            (
                names.index(column.name),
                self._windows[column.group, column.window],
                self._values[column.total],
                self._values.get(column.over, 0),
            )
            for column in columns
        ]
        position, window, total, over = np.array(rows, np.int64).reshape(len(rows), 4).T.copy()
        return position, window, total, over

    def look(self, out: Floats, table: WindowSums, asked: Asked) -> Looked:
        """Write the columns into their places in `out`, shape (features, n), and return every sum that was needed."""
        sums = self._search.sums(table, asked.keys, asked.moments, asked.as_of)
        position, window, total, _ = self._sums
        out[position] = sums[window, :, total]
        position, window, total, over = self._ratios
        out[position] = ratio(sums[window, :, total], sums[window, :, over])
        return Looked(sums, self._windows, self._values)


def _window(group: str, window: str) -> Window:
    (after, before), (until, beyond) = WINDOWS[window]
    return Window(GROUPS.index(group), (MOMENTS.index(after), before), (MOMENTS.index(until), beyond))
