"""The stretch of history that a process keeps for its answers, brought up to the newest fact on asking."""

import threading
from dataclasses import replace

from sqlalchemy import Connection

from backend.clock import DAY
from backend.flights import facts as facts_module
from backend.flights.facts import Facts, LogRow
from backend.flights.history import LONGEST_WINDOW, SCHEDULES_BEFORE, History
from backend.flights.windows import FOREVER
from backend.model import dataset
from backend.store import events as log

# History is read anew when it reaches this much further back than features look.
SURPLUS_AT_MOST = 7 * DAY
# Flights that changed stand beside the history until there are so many, or this part of all: then it is made anew.
CHANGED_AT_MOST = 2000
CHANGED_PART_AT_MOST = 1 / 16


class _Changes:
    """What was recorded since a history was made: the flights that it is about, as they were then and as they are now,
    and all hours of weather."""

    def __init__(self, made_of: Facts) -> None:
        self.rows: list[LogRow] = []
        self.flights: set[str] = set()
        nothing = facts_module.from_rows([])
        self.before = self.after = nothing
        self.hours = replace(nothing, weather=made_of.weather, weather_values=made_of.weather_values)

    def new_flights(self, rows: list[LogRow]) -> set[str]:
        """Those that rows are about and that nothing was about before."""
        return {subject for _, subject, kind, *_ in rows if kind != "weather"} - self.flights

    def add(self, recorded: list[LogRow], rows: list[LogRow]) -> None:
        """Take `rows`, and what had been `recorded` about their `new_flights` when the history was made."""
        flights = [row for row in rows if row[2] != "weather"]
        self.before = facts_module.from_rows(recorded, self.before)
        self.after = replace(facts_module.from_rows([*recorded, *flights], self.after), seq=rows[-1][0])
        if len(flights) < len(rows):
            self.hours = facts_module.from_rows([row for row in rows if row[2] == "weather"], self.hours)
        self.rows += rows
        self.flights.update(subject for _, subject, *_ in flights)


class _Stretch:
    """Facts that were known after `since`, with their history. Its methods may be called from several threads."""

    def __init__(self) -> None:
        self.since: int | None = None
        self._lock = threading.Lock()
        self._read_seq = 0
        self._facts: Facts | None = None
        self._base: History | None = None
        self._changes: _Changes | None = None
        self._history: History | None = None

    def history(self, connection: Connection, needed: int) -> History:
        """History of everything that was known after `needed` (epoch seconds) and is recorded now."""
        with self._lock:
            return self._recent(connection, needed)

    def remembered(self, connection: Connection, needed: int) -> tuple[Facts, History]:
        """The same, after the facts that it is made from: it is made anew where some stand beside it."""
        with self._lock:
            self._recent(connection, needed)
            assert self._facts and self._changes
            if self._changes.rows:
                self._make(connection, facts_module.from_rows(self._changes.rows, self._facts))
            assert self._history is not None
            return self._facts, self._history

    def _recent(self, connection: Connection, needed: int) -> History:
        if self._history is None or self.since is None or not 0 <= needed - self.since <= SURPLUS_AT_MOST:
            self._read(connection, max(0, needed - DAY))
        elif log.newest_seq(connection) > self._history.seq:
            self._learn(connection, list(log.recorded_after(connection, self._history.seq)))
        assert self._history is not None
        return self._history

    def _read(self, connection: Connection, since: int) -> None:
        self._facts = self._base = self._changes = self._history = None  # so that memory never holds two of them
        # Facts that were recorded before they are known are read too: what is read later goes by `seq`.
        rows = log.known_between(connection, since, FOREVER, self._schedules_since(since))
        facts = facts_module.from_rows(rows)
        self.since, self._read_seq = since, facts.seq
        self._make(connection, facts)

    def _make(self, connection: Connection, facts: Facts) -> None:
        self._facts, self._changes = facts, _Changes(facts)
        self._base = self._history = History(facts, dataset.places(connection))

    def _learn(self, connection: Connection, rows: list[LogRow]) -> None:
        assert self._facts and self._base and self._changes and self.since is not None
        changes, known = self._changes, len(self._facts.flights)
        new = changes.new_flights(rows)
        many = max(CHANGED_AT_MOST, CHANGED_PART_AT_MOST * known)
        if len(changes.flights) + len(new) > many or dataset.count_places(connection) != len(self._base.places):
            self._make(connection, facts_module.from_rows([*changes.rows, *rows], self._facts))
            return
        since = self._schedules_since(self.since)
        changes.add(log.about(connection, new, self._base.seq, since, self._read_seq), rows)
        self._history = self._base.changed(changes.before, changes.after, changes.hours)

    @staticmethod
    def _schedules_since(since: int) -> int:
        return max(0, since - SCHEDULES_BEFORE)


class Recall:
    """Two stretches: the newest, which only moves forward, and one for who asks about a past before it."""

    def __init__(self) -> None:
        self._newest, self._past = _Stretch(), _Stretch()

    def history(self, connection: Connection, as_of: int) -> History:
        """History for questions at `as_of` (epoch seconds), with every fact that was recorded until now."""
        return self._stretch(as_of).history(connection, _needed(as_of))

    def remembered(self, connection: Connection, as_of: int) -> tuple[Facts, History]:
        """The same, after the facts that it is made from."""
        return self._stretch(as_of).remembered(connection, _needed(as_of))

    def _stretch(self, as_of: int) -> _Stretch:
        before_newest = self._newest.since is not None and _needed(as_of) < self._newest.since
        return self._past if before_newest else self._newest


def _needed(as_of: int) -> int:
    return max(0, as_of - LONGEST_WINDOW)
