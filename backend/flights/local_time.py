"""Local clocks for arrays of UTC seconds: what the hour and the weekday are at each flight's airport."""

from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from backend.clock import DAY, HOUR

Ints = npt.NDArray[np.int64]


def offset(time_zone: str, epoch: int) -> int:
    """Seconds that the zone's clocks are ahead of UTC at that epoch second."""
    difference = datetime.fromtimestamp(epoch, ZoneInfo(time_zone)).utcoffset()
    assert difference is not None
    return int(difference.total_seconds())


@cache
def _offset_at_hour(time_zone: str, hour: int) -> int:
    """`offset` at the start of that hour since 1970: an array of times asks for the same few hours again and again."""
    return offset(time_zone, hour * HOUR)


def to_local(epoch: Ints, zone: Ints, zone_names: tuple[str, ...]) -> Ints:
    """Local seconds (as if they were UTC) for epoch seconds, both of shape (n,); `zone` indexes `zone_names`."""
    hours, inverse = np.unique(epoch // HOUR * len(zone_names) + zone, return_inverse=True)
    named = [(zone_names[both % len(zone_names)], both // len(zone_names)) for both in hours.tolist()]
    before = np.array([_offset_at_hour(name, hour) for name, hour in named], np.int64)
    after = np.array([_offset_at_hour(name, hour + 1) for name, hour in named], np.int64)
    local = epoch + before[inverse]
    # Some zones change within an hour of UTC, such as Australia/Lord_Howe on the half: there each time is looked up.
    for position in np.flatnonzero((before != after)[inverse]).tolist():
        local[position] = epoch[position] + offset(zone_names[zone[position]], int(epoch[position]))
    return local


def weekday(local: Ints) -> Ints:
    """0 for Monday to 6 for Sunday, for local seconds of shape (n,). 1 January 1970 was a Thursday."""
    return (local // DAY + 3) % 7


def minute_of_day(local: Ints) -> Ints:
    """0 to 1439, for local seconds of shape (n,)."""
    return local % DAY // 60
