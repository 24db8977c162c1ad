"""The steps of a replay: tell what became known, ask about the flights about to leave, go on when it is time."""

import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from backend import clock
from jobs.feed.client import Client, RefusedError
from jobs.feed.pace import SLICE_SECONDS, Pace
from jobs.feed.source import STEP, Source, Told

logger = logging.getLogger("jobs.replay")

MOST_EVENTS, MOST_FLIGHTS = 5000, 1000  # in one request
SAY_SO_SECONDS = 2.0  # how often it says that it lives, and looks at its settings
LOOK_AGAIN_SECONDS = 0.02, 0.5  # for work that is due: at first, and at most


@dataclass
class Report:
    """What was done, and where the time went, in seconds."""

    steps: int = 0
    stored: int = 0
    repeated: int = 0
    refused: int = 0
    predictions: int = 0
    unanswered: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        spent = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in self.seconds.items())
        return (
            f"{self.steps:,} steps: {self.stored:,} events stored, {self.repeated:,} were there, {self.refused:,} "
            f"refused; {self.predictions:,} predictions, {self.unanswered:,} questions refused. Time: {spent}."
        )


class Replay:
    """One replay, which `holder` names. It holds nothing that the server does not know too."""

    def __init__(self, client: Client, source: Source, holder: str, pace: Pace, stop: threading.Event) -> None:
        self._client, self._source, self._holder, self._pace, self._stop = client, source, holder, pace, stop
        self._said_at = -math.inf
        self._about: dict[str, Any] = {}
        self._due: int | None = None
        self._looked_again = 0.0
        self.report = Report()

    def run(self, until: int, breaks: list[str], stay: bool) -> None:
        """Go on from the server's clock to `until` (epoch seconds). With `stay`, wait there until it is stopped.

        Raises InterruptedError when it is stopped and RefusedError where the server refuses it.
        """
        self._about = {"breaks": breaks, "until": clock.iso(until)}
        self._begin()
        now = self._clock()
        logger.info("from %s to %s", clock.iso(now), clock.iso(until))
        # Whatever died in the middle of the step that ends here is done again: all of it may be done twice.
        self._tell(now, self._source.between(now - STEP, now))
        if now % STEP == 0:
            self._ask(now)
        while now < until:
            target = min(now // STEP * STEP + STEP, until)
            self._wait_for(target)
            now = self._go_to(now, target)
            self.report.steps += 1
        logger.info("at %s there is nothing more to tell", clock.iso(now))
        while stay:
            self._say("done")
            self._sleep(SLICE_SECONDS)

    def _begin(self) -> None:
        """Waits until no other replay runs."""
        while not self._say("running", must=False):
            logger.warning("another replay runs: waiting until it ends")
            self._sleep(5.0)

    def _clock(self) -> int:
        while (said := self._client.call("GET", "/status").body["clock"]) is None:
            self._say("waiting")
            self._sleep(SLICE_SECONDS)  # nothing was ingested yet
        return _moment(said)

    def _wait_for(self, target: int) -> None:
        """Waits until it is time for that step, and follows the settings meanwhile."""
        while (wait := self._pace.seconds_until(target, time.monotonic())) > 0:
            self._say("paused" if self._pace.paused else "running")
            with self._timed("pace"):
                self._sleep(min(wait, SLICE_SECONDS))
        self._say("running")

    def _go_to(self, now: int, target: int) -> int:
        """Tell and ask up to `target`, by way of whatever is due before it. Returns where it stands then: `target`."""
        while now < target:
            stop = target if self._due is None or self._due <= now else min(target, self._due)
            with self._timed("source"):
                told = self._source.between(now, stop)
            if self._tell(stop, told):
                now = stop
                if now % STEP == 0:
                    self._ask(now)
            elif self._due is None or self._due <= now:
                self._wait_for_work()
        return now

    def _tell(self, as_of: int, told: list[Told]) -> bool:
        """Tell those events and that this is all up to `as_of`; False where other work is due before."""
        parts = [told[start : start + MOST_EVENTS] for start in range(0, len(told), MOST_EVENTS)] or [[]]
        for place, part in enumerate(parts):
            whole = place == len(parts) - 1
            body = {"as_of": clock.iso(as_of if whole else part[-1].at), "events": [each.fields for each in part]}
            with self._timed("telling"):
                status, said = self._client.call("POST", "/observations", body)
            if status == 409:
                self._due = _moment(said["errors"][0]["accepted"])
                return False
            if status != 200:
                raise RefusedError(f"The server takes no observations: {said.get('detail')}")
            self._count(said)
        self._worked()
        return True

    def _count(self, said: dict[str, Any]) -> None:
        self.report.stored += said["stored"]
        self.report.repeated += said["repeated"]
        self.report.refused += len(said["refused"])
        for refused in said["refused"][:3]:
            logger.warning("refused: %s %s", refused["pointer"], refused["reason"])
        self._due = _moment(said["next_due"]) if said.get("next_due") else None

    def _ask(self, as_of: int) -> None:
        """Ask about each flight that is within one of the leads for the first time."""
        flights = self._source.asked(as_of)
        for start in range(0, len(flights), MOST_FLIGHTS):
            wanted = flights[start : start + MOST_FLIGHTS]
            while wanted:
                body = {"as_of": clock.iso(as_of), "flights": [{"id": flight} for flight in wanted]}
                with self._timed("asking"):
                    status, said = self._client.call("POST", "/predict", body)
                if status == 200:
                    self.report.predictions += len(wanted)
                    break
                wanted = self._without(wanted, said)

    def _without(self, wanted: list[str], said: dict[str, Any]) -> list[str]:
        """The flights that the server does not refuse. Raises RefusedError where it is something else."""
        faults = {int(each["pointer"].split("/")[2]): each["reason"] for each in said["errors"] if _of_flight(each)}
        if not faults:
            raise RefusedError(f"The server answers no questions: {said.get('detail')}")
        for place, reason in list(faults.items())[:3]:
            logger.warning("not answered: %s %s", wanted[place], reason)
        self.report.unanswered += len(faults)
        return [flight for place, flight in enumerate(wanted) if place not in faults]

    def _wait_for_work(self) -> None:
        """Waits a little, the longer the longer the work that is due takes."""
        self._say("waiting")
        first, most = LOOK_AGAIN_SECONDS
        self._looked_again = min(most, max(first, 1.2 * self._looked_again))
        with self._timed("due work"):
            self._sleep(self._looked_again)

    def _worked(self) -> None:
        if self._looked_again:
            self._looked_again = 0.0
            self._pace.begin_anew()

    def _say(self, state: str, must: bool = True) -> bool:
        """Every two seconds: that it lives, in which state, and what the settings are now. False where another one is.

        Raises RefusedError in that case if it must be this one, and InterruptedError where it is to stop.
        """
        if self._stop.is_set():
            raise InterruptedError
        if time.monotonic() - self._said_at < SAY_SO_SECONDS:
            return True
        values = self._client.call("GET", "/settings/replay").body["values"]
        self._pace.follow(values)
        speed = "max" if math.isinf(self._pace.speed) else self._pace.speed
        body = {"holder": self._holder, "state": state, "speed": speed, **self._about}
        status, said = self._client.call("PUT", "/replay", body)
        if status == 409 and not must:
            return False
        if status != 200:
            raise RefusedError(said.get("detail", f"The server answers {status} to a replay"))
        self._said_at = time.monotonic()
        return True

    def leave(self) -> None:
        """Let another replay begin at once, if the server can be reached."""
        self._client.attempt("DELETE", f"/replay/{self._holder}")

    def _sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # not Event.wait: a signal handler that sets it in there waits for itself
        if self._stop.is_set():
            raise InterruptedError

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.report.seconds[what] = self.report.seconds.get(what, 0.0) + time.monotonic() - started


def _moment(text: str) -> int:
    return clock.to_epoch(datetime.fromisoformat(text))


def _of_flight(error: dict[str, Any]) -> bool:
    return str(error.get("pointer", "")).startswith("/flights/")
