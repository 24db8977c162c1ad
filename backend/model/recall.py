"""The stretch of history that a process keeps for its answers, brought up to the newest fact on asking."""

import threading

from sqlalchemy import Connection

from backend.clock import DAY
from backend.flights import facts as facts_module
from backend.flights.facts import Facts
from backend.flights.history import LONGEST_WINDOW, SCHEDULES_BEFORE, History
from backend.flights.windows import FOREVER
from backend.model import dataset
from backend.store import events as log

# History is read anew when it reaches this much further back than features look.
SURPLUS_AT_MOST = 7 * DAY


class _Stretch:
    """Facts that were known after `since`, with their history. Its one method may be called from several threads."""

    def __init__(self) -> None:
        self.since: int | None = None
        self._lock = threading.Lock()
        self._facts: Facts | None = None
        self._history: History | None = None

    def history(self, connection: Connection, needed: int) -> History:
        """History of everything that was known after `needed` (epoch seconds) and is recorded now."""
        with self._lock:
            if self._facts is None or self.since is None or not 0 <= needed - self.since <= SURPLUS_AT_MOST:
                self._facts = self._history = None  # before the new one is read, so that memory holds one of them
                since = max(0, needed - DAY)
                # Facts that were recorded before they are known are read too: what is read later goes by `seq`.
                rows = log.known_between(connection, since, FOREVER, max(0, since - SCHEDULES_BEFORE))
                self._facts, self.since = facts_module.from_rows(rows), since
            elif log.newest_seq(connection) > self._facts.seq:
                rows = log.recorded_after(connection, self._facts.seq)
                self._facts, self._history = facts_module.from_rows(rows, self._facts), None
            if self._history is None:
                self._history = History(self._facts, dataset.places(connection))
            return self._history


class Recall:
    """Two stretches: the newest, which only moves forward, and one for who asks about a past before it."""

    def __init__(self) -> None:
        self._newest, self._past = _Stretch(), _Stretch()

    def history(self, connection: Connection, as_of: int) -> History:
        """History for questions at `as_of` (epoch seconds), with every fact that was recorded until now."""
        needed = max(0, as_of - LONGEST_WINDOW)
        before_newest = self._newest.since is not None and needed < self._newest.since
        return (self._past if before_newest else self._newest).history(connection, needed)
