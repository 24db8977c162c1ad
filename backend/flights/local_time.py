"""Local clocks for arrays of UTC seconds: what the hour and the weekday are at each flight's airport."""

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from backend.clock import DAY, HOUR

Ints = npt.NDArray[np.int64]


@cache
def offset(time_zone: str, hour: int) -> int:
    """Seconds that the zone's clocks are ahead of UTC during that hour since 1970 (zones change on the hour)."""
    difference = datetime.fromtimestamp(hour * HOUR, UTC).astimezone(ZoneInfo(time_zone)).utcoffset()
    assert difference is not None
    return int(difference.total_seconds())


def to_local(epoch: Ints, zone: Ints, zone_names: tuple[str, ...]) -> Ints:
    """Local seconds (as if they were UTC) for epoch seconds, both of shape (n,); `zone` indexes `zone_names`."""
    pairs, inverse = np.unique(epoch // HOUR * len(zone_names) + zone, return_inverse=True)
    offsets = [offset(zone_names[pair % len(zone_names)], pair // len(zone_names)) for pair in pairs.tolist()]
    return epoch + np.array(offsets, dtype=np.int64)[inverse]


def weekday(local: Ints) -> Ints:
    """0 for Monday to 6 for Sunday, for local seconds of shape (n,). 1 January 1970 was a Thursday."""
    return (local // DAY + 3) % 7


def minute_of_day(local: Ints) -> Ints:
    """0 to 1439, for local seconds of shape (n,)."""
    return local % DAY // 60
