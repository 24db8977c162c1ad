"""Local clocks for arrays of UTC seconds: what the hour and the weekday are at each flight's airport."""

from datetime import datetime
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from backend.clock import DAY

Ints = npt.NDArray[np.int64]


def offset(time_zone: str, epoch: int) -> int:
    """Seconds that the zone's clocks are ahead of UTC at that epoch second."""
    difference = datetime.fromtimestamp(epoch, ZoneInfo(time_zone)).utcoffset()
    assert difference is not None
    return int(difference.total_seconds())


class _Days(NamedTuple):
    """Days of UTC by `key` = zone << 32 | day, ascending: offsets `before` and from the second `change` on."""

    key: Ints
    change: Ints
    before: Ints
    after: Ints


class Clocks:
    """The clocks of some zones. Each day that is asked about is looked up once; many flights share a few days."""

    def __init__(self, zone_names: tuple[str, ...]) -> None:
        self._names = zone_names
        self._days = _Days(*np.zeros((4, 1), np.int64))._replace(key=np.array([-1]))  # of no zone: always found

    def local(self, epoch: Ints, zone: Ints) -> Ints:
        """Local seconds (as if they were UTC) for epoch seconds, both of shape (n,); `zone` indexes the names."""
        key = zone << 32 | epoch // DAY
        days = self._days
        place = days.key.searchsorted(key, "right") - 1
        if (days.key[place] != key).any():
            days = self._with(days, key)
            place = days.key.searchsorted(key, "right") - 1
        return epoch + np.where(epoch < days.change[place], days.before[place], days.after[place])

    def _with(self, known: _Days, key: Ints) -> _Days:
        """The days with those of `key` too. Two threads may do it at once: one finds its days missing again later."""
        missing = np.setdiff1d(key, known.key)
        rows = [(each, *_day(self._names[each >> 32], each & 0xFFFFFFFF)) for each in missing.tolist()]
        table = np.concatenate([known, np.array(rows, np.int64).T], axis=1)
        self._days = _Days(*table[:, table[0].argsort()])
        return self._days


def _day(time_zone: str, day: int) -> tuple[int, int, int]:
    """When the zone's clocks change on that day of UTC (at its start, if they do not), and the offsets around that.

    No zone has changed its clocks twice in three days since 1970, so that the ends of a day tell whether it did.
    """
    start, end = day * DAY, (day + 1) * DAY
    before, after = offset(time_zone, start), offset(time_zone, end)
    while before != after and end - start > 1:
        middle = (start + end) // 2
        start, end = (middle, end) if offset(time_zone, middle) == before else (start, middle)
    return end if before != after else start, before, after


@cache
def clocks(zone_names: tuple[str, ...]) -> Clocks:
    """The clocks of those zones, the same for all who ask."""
    return Clocks(zone_names)


def weekday(local: Ints) -> Ints:
    """0 for Monday to 6 for Sunday, for local seconds of shape (n,). 1 January 1970 was a Thursday."""
    return (local // DAY + 3) % 7


def minute_of_day(local: Ints) -> Ints:
    """0 to 1439, for local seconds of shape (n,)."""
    return local % DAY // 60
