"""Rows of the log as they were believed at a moment, by group: which of them became known last."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backend.clock import HOUR
from backend.flights.columns import GROUPS
from backend.flights.contributions import KNOWN_WITHIN
from backend.flights.facts import Facts, Stream, unpack
from backend.flights.groups import Parts, keys
from backend.flights.history import History
from backend.flights.label import OUTCOMES
from backend.flights.local_time import minute_of_day

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

WEATHER_LOOKS_BACK = 6 * HOUR


class Fact(NamedTuple):
    """A row of the log: `subject` is a flight's id, or the station of an hour of weather."""

    seq: int
    kind: str
    subject: str
    known_at: int


class Believed(NamedTuple):
    """Rows of one stream that are believed: their `place` in it (r,), their `keys` (groups, r) and the `kinds` of fact
    that they may be."""

    stream: Stream
    place: Ints
    keys: Ints
    kinds: tuple[str, ...]
    flights: list[str]

    def newest(self, group: str, key: int, time: Ints, after: int, until: int) -> Fact | None:
        """The fact of that group, with its `time` (a column of the stream) in that window, that became known last."""
        inside = (self.keys[GROUPS.index(group)] == key) & (time[self.place] > after) & (time[self.place] <= until)
        rows = self.place[inside]
        if rows.size == 0:
            return None
        row = _last_known(self.stream, rows)
        kind = self.kinds[int(self.stream.value[row]) & 3 if len(self.kinds) > 1 else 0]
        return _fact(self.stream, row, kind, self.flights[int(self.stream.subject[row])])


def rows(kind: str, facts: Facts, history: History, as_of: int) -> Believed:
    """The rows that sums of that kind (departures, outcomes, demand, overdue) are made from, as believed at `as_of`."""
    stream = {"departures": facts.departures, "outcomes": facts.outcomes}.get(kind, facts.schedules)
    counts = (stream.known_at <= as_of) & (as_of < stream.valid_to)
    if kind in ("departures", "outcomes"):
        counts &= stream.known_at <= facts.departure[stream.subject] + KNOWN_WITHIN
    if kind == "overdue":
        counts &= ~_gone(facts, as_of)[stream.subject]
    place = np.flatnonzero(counts)
    kinds = {"departures": ("departed",), "outcomes": tuple(OUTCOMES)}.get(kind, ("scheduled",))
    return Believed(stream, place, _keys(facts, history, stream.subject[place]), kinds, list(facts.flights))


def weather(facts: Facts, station: int, as_of: int) -> tuple[int, Fact | None]:
    """How many hours of weather at a station (a packed code) became known in the last six hours, and the newest."""
    stream = facts.weather
    known = (stream.known_at > as_of - WEATHER_LOOKS_BACK) & (stream.known_at <= as_of) & (as_of < stream.valid_to)
    found = np.flatnonzero(known & (stream.subject == station))
    if found.size == 0:
        return 0, None
    return len(found), _fact(stream, _last_known(stream, found), "weather", unpack(station))


def _keys(facts: Facts, history: History, subject: Ints) -> Ints:
    places = history.places
    origin, dest = places.positions(facts.origin[subject]), places.positions(facts.dest[subject])
    hour = minute_of_day(places.local_at(facts.departure[subject], origin)) // 60
    carrier, regions = history.carriers.numbers(facts.carrier[subject]), places.regions(dest)
    return keys(GROUPS, Parts(origin, carrier, facts.number[subject], dest, regions, hour, hour))


def _gone(facts: Facts, as_of: int) -> Bools:
    """Which flights have left, or are known not to leave, at that moment: shape (f,)."""
    gone = np.zeros(len(facts.origin), np.bool_)
    for stream in (facts.departures, facts.outcomes):
        gone[stream.subject[stream.known_at <= as_of]] = True
    return gone


def _last_known(stream: Stream, place: Ints) -> int:
    return int(place[np.lexsort((stream.seq[place], stream.known_at[place]))[-1]])


def _fact(stream: Stream, row: int, kind: str, subject: str) -> Fact:
    return Fact(int(stream.seq[row]), kind, subject, int(stream.known_at[row]))
