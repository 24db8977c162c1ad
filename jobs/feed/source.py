"""What the embedded source makes known, in the order in which it becomes known, and which flights are asked about when.

Read a few days at a time, so that a year costs no more memory than a week.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from backend.clock import DAY, HOUR, MINUTE, from_epoch
from backend.flights import events, told
from backend.flights.events import Event
from backend.flights.sources import nycflights13
from jobs.feed.breaks import Break

STEP = 15 * MINUTE  # of data time
LEADS = (24 * HOUR, 6 * HOUR, 2 * HOUR, 30 * MINUTE)  # an airline's system asks so long before each departure
AT_ONCE = 10 * DAY
# A day's flights are planned two days before it, and the last of them become known within four days after it.
DAYS_BEFORE, DAYS_AFTER = 5, 3


class Told(NamedTuple):
    """An event as it is sent, and when it is told: when it became known, unless the feed is late."""

    at: int
    fields: dict[str, Any]


def asked_at(departure: int, lead: int) -> int:
    """The first step at which a flight is within that lead of its scheduled departure."""
    return -((lead - departure) // STEP) * STEP


class Source:
    """The package's flights and weather, with those flights alone whose number `only` divides, and with `breaks`."""

    def __init__(self, breaks: Sequence[Break] = (), only: int = 1) -> None:
        self._breaks, self._only = breaks, only
        self._late = sum(each.late for each in breaks)
        self._weather = nycflights13.read_weather().events
        self._from = self._until = 0
        self._told: list[Told] = []
        self._times: list[int] = []
        self._asked: dict[int, list[str]] = {}

    def between(self, after: int, until: int) -> list[Told]:
        """What is told after `after` and not after `until` (epoch seconds)."""
        found: list[Told] = []
        while after < until:
            self._read(after)
            part = min(until, self._until)
            found += self._told[bisect_right(self._times, after) : bisect_right(self._times, part)]
            after = part
        return found

    def asked(self, at: int) -> list[str]:
        """The flights that are asked about at that step."""
        self._read(at - 1)
        return self._asked.get(at, [])

    def _read(self, after: int) -> None:
        """Lets what is told just after `after` be at hand."""
        if self._from <= after < self._until:
            return
        self._from, self._until = after, after + AT_ONCE
        first, last = (from_epoch(moment - self._late) for moment in (self._from, self._until))
        frame = nycflights13.flights_until((last + timedelta(days=DAYS_AFTER)).date())
        begins = (first - timedelta(days=DAYS_BEFORE)).date()
        frame = frame[frame["year"] * 10_000 + frame["month"] * 100 + frame["day"] >= int(f"{begins:%Y%m%d}")]
        frame = frame[frame["flight"] % self._only == 0]
        flown = sorted(nycflights13.read(frame).events, key=attrgetter("subject"))
        planned = {event.subject: event.at for event in flown if event.kind == "scheduled"}
        self._asked = self._questions(planned)
        said = [event for each in self._weather for event in self._broken([each])]
        for _, flight in groupby(flown, key=attrgetter("subject")):
            said += self._broken(list(flight))
        mine = [event for event in said if self._from < event.known_at + self._late <= self._until]
        mine.sort(key=lambda event: (event.known_at, event.subject, event.kind))
        self._told = [
            Told(event.known_at + self._late, told.fields(event, planned.get(event.subject))) for event in mine
        ]
        self._times = [each.at for each in self._told]

    def _broken(self, about: list[Event]) -> list[Event]:
        """The events of one flight or hour as they are told."""
        for each in self._breaks:
            changed = each.change(about)
            about = [
                event if event in about and not each.late else events.marked(event, each.name) for event in changed
            ]
        return about

    def _questions(self, planned: dict[str, int]) -> dict[int, list[str]]:
        asked: dict[int, list[str]] = defaultdict(list)
        for flight, departure in sorted(planned.items()):
            for lead in LEADS:
                at = asked_at(departure, lead)
                if self._from < at <= self._until:
                    asked[at].append(flight)
        return asked
