"""Local clocks are those of the time-zone database, to the second, also where they change within an hour of UTC."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.clock import DAY, to_epoch
from backend.flights import local_time
from backend.flights.local_time import minute_of_day, weekday

ZONES = tuple(sorted(available_timezones()))
UNTIL = to_epoch(datetime(2037, 12, 31, tzinfo=UTC))


def expected(epoch: int, zone: str) -> datetime:
    return datetime.fromtimestamp(epoch, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@given(st.lists(st.tuples(st.integers(0, UNTIL), st.sampled_from(ZONES)), max_size=50))
def test_any_moments_in_any_zones_read_as_the_clocks_there(asked: list[tuple[int, str]]) -> None:
    epoch = np.array([moment for moment, _ in asked], np.int64)
    local = local_time.clocks(ZONES).local(epoch, np.array([ZONES.index(zone) for _, zone in asked], np.int64))
    clocks = [expected(*each) for each in asked]
    assert local.tolist() == [to_epoch(clock.replace(tzinfo=UTC)) for clock in clocks]
    assert weekday(local).tolist() == [clock.weekday() for clock in clocks]
    assert minute_of_day(local).tolist() == [clock.hour * 60 + clock.minute for clock in clocks]


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("America/New_York", "2013-03-10"),
        ("America/New_York", "2013-11-03"),
        ("Australia/Lord_Howe", "2013-04-06"),  # by half an hour, at 15:00 UTC
        ("Australia/Lord_Howe", "2013-10-05"),  # and at 15:30
        ("Australia/Adelaide", "2013-10-05"),
        ("Asia/Kathmandu", "1985-12-31"),  # from 5:30 to 5:45 ahead
        ("America/St_Johns", "2010-11-07"),  # at a minute past midnight
        ("Africa/Monrovia", "1972-01-07"),  # by 44 minutes and 30 seconds
    ],
)
def test_on_a_day_on_which_clocks_change_each_half_minute_is_right(zone: str, day: str) -> None:
    start = to_epoch(datetime.fromisoformat(day).replace(tzinfo=UTC))
    epoch = np.arange(start, start + DAY, 30, dtype=np.int64)
    local = local_time.clocks((zone,)).local(epoch, np.zeros(len(epoch), np.int64))
    assert local.tolist() == [to_epoch(expected(moment, zone).replace(tzinfo=UTC)) for moment in epoch.tolist()]
    assert len(set((local - epoch).tolist())) == 2, "its clocks change on that day"


def test_no_moments_are_no_local_times() -> None:
    nothing = np.zeros(0, np.int64)
    assert local_time.clocks(ZONES).local(nothing, nothing).shape == (0,)
