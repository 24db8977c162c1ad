"""Sums over any window of any group, by binary searches in integer running sums.

Integers, because sums of floats depend on where the summing started, and a feature has to be the same to the last bit
whether it is computed for one flight or for a year. And because integers that were added can be taken away again: what
changed since the sums were made stands in a second, small layer.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

# A row's place among all is one integer: its key, below 2**31, then its time in seconds, until the year 2106.
KEY_BITS, _TIME_BITS = 31, 32
FOREVER = (1 << _TIME_BITS) - 1
_KNOWN_BEFORE = 48 * 3600  # how long before its time a row can be known at most: schedules are


class Rows(NamedTuple):
    """What is summed. Each row counts in g groups, once in each: by `key` (g, n) at `time` (n,) or (g, n), with its
    `values` (n, k), for whoever asks at a moment before `valid_to` (n,); almost all of them for ever."""

    key: Ints
    time: Ints
    values: Ints
    valid_to: Ints


def difference(before: Rows, after: Rows) -> Rows:
    """What makes the sums of `before` those of `after`."""
    return Rows(
        np.concatenate([before.key, after.key], axis=1),
        np.concatenate([before.time, after.time], axis=-1),
        np.concatenate([-before.values, after.values]),
        np.concatenate([before.valid_to, after.valid_to]),
    )


class _Layer:
    """Rows in order of key and time with their running sums; the few that were superseded stand beside them."""

    def __init__(self, rows: Rows) -> None:
        lasting = rows.valid_to >= FOREVER
        stamps = ((rows.key[:, lasting] << _TIME_BITS) + rows.time[..., lasting]).ravel()
        order = np.argsort(stamps)
        self._stamps = stamps[order]
        self._sums = np.zeros((len(order) + 1, rows.values.shape[1]), np.int64)
        count = np.count_nonzero(lasting)
        if count:
            np.cumsum(rows.values[lasting][order % count], axis=0, out=self._sums[1:])
        # When each may count first, when it stops, and what it is.
        ended = ~lasting
        self._key = rows.key[:, ended].ravel()
        self._time = np.broadcast_to(rows.time, rows.key.shape)[:, ended].ravel()
        self._ends = np.tile(rows.valid_to[ended], len(rows.key))
        self._values = np.tile(rows.values[ended], (len(rows.key), 1))

    def until(self, stamps: Ints) -> Ints:
        """The running sums at those stamps."""
        return self._sums.take(self._stamps.searchsorted(stamps, "right"), axis=0)

    def add_superseded(self, sums: Ints, key: Ints, moment: Ints, as_of: Ints) -> None:
        """Add rows that were superseded later, for those who ask about a moment when they were still believed."""
        if len(self._key) == 0 or len(as_of) == 0:
            return
        begins = self._time - _KNOWN_BEFORE
        for row in np.flatnonzero((begins <= as_of.max()) & (as_of.min() < self._ends)).tolist():
            asking = np.flatnonzero((begins[row] <= as_of) & (as_of < self._ends[row]))
            counts = (key[:, asking] == self._key[row]) & (self._time[row] <= moment[:, asking])
            sums[:, asking] += counts[:, :, None] * self._values[row]


class WindowSums:
    """Sums of rows, and of those in `base`."""

    def __init__(self, rows: Rows, base: "WindowSums | None" = None) -> None:
        self._layers: tuple[_Layer, ...] = (*(base._layers if base else ()), _Layer(rows))

    def until(self, key: Ints, moment: Ints, as_of: Ints) -> Ints:
        """Running sums (e, n, k) of each `key` (e, n) up to and with its `moment` (e, n), as believed at `as_of` (n,).

        They begin anywhere, but at the same place for all moments of a key: the difference of two is a window's sum.
        """
        stamps = (key << _TIME_BITS) + moment
        sums = self._layers[0].until(stamps)
        for layer in self._layers[1:]:
            sums += layer.until(stamps)
        for layer in self._layers:
            layer.add_superseded(sums, key, moment, as_of)
        return sums


class Window(NamedTuple):
    """A window of a group, as positions in arrays of keys and of moments: `after` < time <= `until`, each a moment and
    seconds to add to it."""

    group: int
    after: tuple[int, int]
    until: tuple[int, int]


class Windows:
    """Windows that are asked for together. An end that several have is looked up once."""

    def __init__(self, windows: Sequence[Window]) -> None:
        ends = sorted({(window.group, *end) for window in windows for end in (window.after, window.until)})
        self._groups, self._moments, seconds = np.array(ends, np.intp).T
        self._seconds = seconds.astype(np.int64)[:, None]
        self._after = np.array([ends.index((window.group, *window.after)) for window in windows])
        self._until = np.array([ends.index((window.group, *window.until)) for window in windows])

    def sums(self, table: WindowSums, keys: Ints, moments: Ints, as_of: Ints) -> Ints:
        """The sums in each window, shape (windows, n, k), for `keys` (groups, n) and `moments` (moments, n)."""
        ends = moments[self._moments] + self._seconds
        running = table.until(keys[self._groups], ends, as_of)
        sums: Ints = running[self._until] - running[self._after]
        return sums
