"""Sums over any past window of any group, by two binary searches in integer running sums.

Integers, because sums of floats depend on where the summing started, and a feature has to be the same to the last bit
whether it is computed for one flight or for a year.
"""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_TIME_BITS = 34  # seconds until the year 2514
FOREVER = (1 << _TIME_BITS) - 1
_KNOWN_BEFORE = 48 * 3600  # how long before its time a row can be known at most: schedules are


class WindowSums:
    """Rows of (key, time, values), each valid for as_of in [time, valid_to); almost all of them for ever."""

    def __init__(self, key: Ints, time: Ints, values: Ints, valid_to: Ints | None = None) -> None:
        """`key` and `time` have shape (n,), `values` (n, k). A row with a finite `valid_to` was superseded then."""
        superseded = np.zeros(len(key), bool) if valid_to is None else valid_to < FOREVER
        kept = ~superseded
        order = np.lexsort((time[kept], key[kept]))
        keys, times = key[kept][order], time[kept][order]
        self._keys, ranks = np.unique(keys, return_inverse=True)
        self._ranked_times = (ranks.astype(np.int64) << _TIME_BITS) | times
        self._sums = np.zeros((len(keys) + 1, values.shape[1]), np.int64)
        np.cumsum(values[kept][order], axis=0, out=self._sums[1:])
        # Few, so that each is looked at alone: when it may count first, when it stops, and what it is.
        self._superseded = list(zip(key[superseded].tolist(), time[superseded].tolist(), strict=True))
        self._superseded_values = values[superseded]
        self._superseded_from = time[superseded] - _KNOWN_BEFORE
        self._superseded_at = np.zeros(0, np.int64) if valid_to is None else valid_to[superseded]

    def between(self, key: Ints, after: Ints, until: Ints, as_of: Ints | None = None) -> Ints:
        """The sums of the rows with `after < time <= until`.

        `key` has shape (n,), `after` and `until` (n, w); returns (n, w, k). `as_of` (n,) is the moment whose knowledge
        counts: leave it out where every row is known by its time and `until` is that moment.
        """
        result = np.zeros((*after.shape, self._sums.shape[1]), np.int64)
        if len(self._keys):
            rank = np.searchsorted(self._keys, key)
            rank[rank == len(self._keys)] = 0
            prefix = (rank.astype(np.int64) << _TIME_BITS)[:, None]
            low = np.searchsorted(self._ranked_times, prefix | after, side="right")
            high = np.searchsorted(self._ranked_times, prefix | until, side="right")
            np.subtract(self._sums[high], self._sums[low], out=result)
            result[self._keys[rank] != key] = 0
        if self._superseded:
            self._add_superseded(result, key, after, until, until[:, 0] if as_of is None else as_of)
        return result

    def past(self, key: Ints, as_of: Ints, windows: tuple[int, ...]) -> Ints:
        """The sums over the last `windows` seconds up to `as_of`: shape (n, len(windows), k)."""
        until = np.broadcast_to(as_of[:, None], (len(as_of), len(windows)))
        return self.between(key, until - np.array(windows, np.int64), until)

    def _add_superseded(self, result: Ints, key: Ints, after: Ints, until: Ints, as_of: Ints) -> None:
        """Add rows that were superseded later, for those who ask about a moment when they were still believed."""
        if len(as_of) == 0:
            return
        order = np.argsort(as_of, kind="stable")
        moments = as_of[order]
        first = np.searchsorted(moments, self._superseded_from)
        last = np.searchsorted(moments, self._superseded_at)
        for row in np.flatnonzero(first < last).tolist():
            row_key, time = self._superseded[row]
            asking = order[first[row] : last[row]]
            asking = asking[key[asking] == row_key]
            inside = (after[asking] < time) & (time <= until[asking])
            result[asking] += inside[:, :, None] * self._superseded_values[row]


class OpenIntervals:
    """Rows of (key, start, stop): how many are open at a moment, and how many seconds they have been, in all."""

    def __init__(self, key: Ints, start: Ints, stop: Ints, since: Ints) -> None:
        """All of shape (n,). A row is open for as_of in [start, stop); `since` is what its waiting counts from."""
        opened = stop > start
        values = np.stack([np.ones_like(since), since], axis=1)[opened]
        self._starts = WindowSums(key[opened], start[opened], values)
        self._stops = WindowSums(key[opened], stop[opened], values)

    def at(self, key: Ints, as_of: Ints) -> tuple[Ints, Ints]:
        """(how many are open, seconds waited in all), each of shape (n,)."""
        until = as_of[:, None]
        since = np.zeros_like(until)
        still_open = (self._starts.between(key, since, until) - self._stops.between(key, since, until))[:, 0]
        return still_open[:, 0], still_open[:, 0] * as_of - still_open[:, 1]
