"""The one that writes a process's answers into the log of predictions: each is committed before it is given.

What that promises when a process is killed, when the power fails and when the disk is full: docs/performance.md.
"""

import threading
from collections.abc import Sequence

from backend.store import predictions, sql, statements
from backend.store.predictions import Asking, Floats, Key, Logged


class AnswerLog:
    """Its one method may be called from several threads, which take turns.

    For each other they wait at a lock, which is handed on at once; only for other processes at SQLite's, which is
    asked for again every few milliseconds.
    """

    def __init__(self, url: str, patience_seconds: int) -> None:
        self._engine = sql.open_engine(url, patience_seconds, synced=False)
        self._patience_seconds = patience_seconds
        self._turn = threading.Lock()

    def write(self, asking: Asking, answers: Sequence[Logged], rows: Floats, feature_list: str) -> dict[Key, Logged]:
        """What is to be answered, as `predictions.log` says, after the commit.

        Raises OperationalError where that cannot be, and TimeoutError where the others take too long.
        """
        if not self._turn.acquire(timeout=self._patience_seconds):
            raise TimeoutError(f"the threads before this one took more than {self._patience_seconds} s")
        try:
            with statements.writing(self._engine) as connection:
                return predictions.log(connection, asking, answers, rows, feature_list)
        finally:
            self._turn.release()
