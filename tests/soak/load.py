"""The mixed load: who asks what, in which rhythm, and what each of them has to be able to show afterwards."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from backend import clock
from backend.flights.events import Event
from backend.flights.told import fields as said
from tests.soak.caller import Caller, Cut, Notes

PREDICTORS = 2
STEP = 30 * clock.MINUTE  # of the data clock with each batch of observations
STEP_SECONDS = 0.8  # from the receipt of one batch to the next
LISTED_SECONDS = 3.0  # so old may a predictor's list of coming flights be
PATIENCE_SECONDS = 240
AGAIN_OF_TEN = 1  # of ten questions so many were asked before


class Told(NamedTuple):
    """What somebody was told about a flight as of a moment, and between which times (seconds since 1970)."""

    probability: float
    version: int
    seq: int
    sent: float
    came: float


@dataclass
class Kept:
    """What clients were promised: by flight and `as_of` (epoch seconds) what was answered, and the events accepted."""

    answers: dict[tuple[str, int], Told] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, key: tuple[str, int], told: Told) -> Told:
        """Keep the first answer to a question, and return that."""
        with self._lock:
            return self.answers.setdefault(key, told)

    def some(self, chance: random.Random) -> tuple[str, int] | None:
        """A question that was answered, if there is one."""
        with self._lock:
            return chance.choice(list(self.answers)[-2000:]) if self.answers else None


class Load:
    """Clients of an API that works on the small world, until they are told to stop.

    The operator promotes `version`, or without one what it trains.
    """

    def __init__(self, port: int, password: str, feed: Sequence[Event], until: int, version: int = 0) -> None:
        self.notes, self.kept = Notes(), Kept()
        self._port, self._password = port, password
        self._feed, self._until = sorted(feed, key=lambda event: event.known_at), until
        self._version, self._stopped = version, threading.Event()
        self.operator_is_done = threading.Event()

    @contextmanager
    def running(self, seconds: float) -> Iterator[None]:
        """They ask while the block runs. An operator trains, promotes and rolls back within those seconds."""
        roles = [("viewer", self._predict)] * PREDICTORS + [("feeder", self._tell), ("viewer", self._look)]
        threads = [
            threading.Thread(target=self._run, args=(role, work, number)) for number, (role, work) in enumerate(roles)
        ]
        operator = _Operator(self, time.monotonic(), seconds, self._version)
        threads.append(threading.Thread(target=self._run, args=("operator", operator.work, 0)))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join(PATIENCE_SECONDS)

    def _run(self, role: str, work: Callable[[Caller, random.Random], Iterator[float]], number: int) -> None:
        """One client: `work` yields how long it thinks (seconds) before it goes on. Where it was cut off it begins
        anew, as a program does that is started again."""
        caller, chance = Caller(self._port, role, self._password, self.notes), random.Random(number)
        try:
            while not self._stopped.is_set():
                try:
                    for pause in work(caller, chance):
                        if self._stopped.wait(pause):
                            break
                    else:
                        return
                except Cut:
                    self._stopped.wait(0.05)
        # A client that dies is a fault, whatever it died of.
        except Exception as error:  # noqa: BLE001  # pylint: disable=broad-exception-caught
            self.notes.fault(f"the {role} stopped: {type(error).__name__}: {error}")
        finally:
            caller.close()

    def _predict(self, caller: Caller, chance: random.Random) -> Iterator[float]:
        """Asks about one to twenty of the coming flights, and now and then what it has asked before."""
        listed, coming = 0.0, []
        while True:
            if time.monotonic() - listed > LISTED_SECONDS:
                listed, coming = time.monotonic(), self._coming(caller)
            before = self.kept.some(chance) if chance.randrange(10) < AGAIN_OF_TEN else None
            if before is not None:
                self._ask(caller, [before[0]], before[1])
            elif coming:
                self._ask(caller, chance.sample(coming, min(len(coming), chance.choice((1, 1, 1, 5, 20)))), None)
            yield chance.uniform(0, 0.06)

    def _coming(self, caller: Caller) -> list[str]:
        """Flights that can be asked about as long as the list is used, as far as the clock goes on meanwhile."""
        status = caller.call("GET /status", "GET", "/status")
        if status.status != 200:
            return []
        now = _moment(status.body["clock"])
        window = f"from={clock.iso(now + 4 * clock.HOUR)}&until={clock.iso(now + 20 * clock.HOUR)}"
        listing = caller.call("GET /flights", "GET", f"/flights?{window}&limit=200")
        return [one["id"] for one in listing.body["items"]] if listing.status == 200 else []

    def _ask(self, caller: Caller, flights: list[str], as_of: int | None) -> None:
        question: dict[str, Any] = {"flights": [{"id": flight} for flight in flights]}
        question |= {} if as_of is None else {"as_of": clock.iso(as_of)}
        response = caller.call("POST /predict", "POST", "/predict", question)
        if response.status != 200:
            if response.status != 503:
                self.notes.fault(f"POST /predict answered {response.status}: {response.body}")
            return
        answers = response.body["predictions"]
        if [answer["id"] for answer in answers] != flights:
            self.notes.fault(f"asked about {flights}, told about {[answer['id'] for answer in answers]}")
        for answer in answers:
            key = answer["id"], _moment(answer["as_of"])
            told = Told(
                answer["probability"], int(answer["model_version"]), answer["seq"], response.sent, response.came
            )
            first = self.kept.keep(key, told)
            if first[:3] != told[:3] or not 0 <= told.probability <= 1:
                self.notes.fault(f"{key} was answered with {first[:3]} and then with {told[:3]}")

    def _tell(self, caller: Caller, _: random.Random) -> Iterator[float]:
        """Tells what became known, half an hour of the data clock at a time, each batch until it is confirmed."""
        while self._feed:
            as_of = self._until + STEP
            batch = [event for event in self._feed[:5000] if event.known_at <= as_of]
            body = {"as_of": clock.iso(as_of), "events": [said(event) for event in batch]}
            receipt = caller.call("POST /observations", "POST", "/observations", body, Idempotency_Key=f"to:{as_of}")
            if receipt.status == 200:
                counted = receipt.body["stored"] + receipt.body["repeated"]
                if counted != len(batch) or receipt.body["refused"] or receipt.body["as_of"] != clock.iso(as_of):
                    self.notes.fault(f"a batch of {len(batch)} events got the receipt {receipt.body}")
                self.kept.events += batch
                self._feed, self._until = self._feed[len(batch) :], as_of
            elif receipt.status not in (409, 503):  # 409: the clock waits for the training that the operator asked for
                self.notes.fault(f"POST /observations answered {receipt.status}: {receipt.body}")
            yield STEP_SECONDS
        self.notes.fault("the feed was over before the load was")

    def _look(self, caller: Caller, chance: random.Random) -> Iterator[float]:
        """Looks at the board, as the app does."""
        while True:
            for path in ("/flights?sort=-risk&limit=50", "/status", "/jobs", "/models", "/decisions", "/deployments"):
                response = caller.call(f"GET {path.partition('?')[0]}", "GET", path)
                if response.status not in (200, 503):
                    self.notes.fault(f"GET {path} answered {response.status}: {response.body}")
                yield 0.3
            if (asked := self.kept.some(chance)) is not None:
                one = caller.call("GET /flights/{id}", "GET", f"/flights/{asked[0]}")
                if one.status == 200 and not one.body["risks"]:
                    self.notes.fault(f"{asked[0]} was asked about, and has no risk on the board")


@dataclass
class _Operator:
    """Trains at once, lets the new version serve when it is there, and takes it back after seven tenths of the time."""

    load: Load
    begun: float
    seconds: float
    version: int
    training: str = ""
    changes: int = 0  # that are done

    def work(self, caller: Caller, _: random.Random) -> Iterator[float]:
        """What it does next. It may be cut off anywhere, and then looks at what has become of it."""
        while not self.training and not self.version:
            job = caller.call("POST /training", "POST", "/training", {})
            if job.status == 202:
                self.training = job.body["id"]
            yield 0.5
        while not self.version:
            job = caller.call("GET /jobs/{id}", "GET", f"/jobs/{self.training}")
            if job.status == 200 and job.body["state"] in ("failed", "cancelled"):
                self.load.notes.fault(f"the training ended: {job.body}")
                self.load.operator_is_done.set()
                return
            if job.status == 200 and job.body["state"] == "done":
                self.version = job.body["result"]["version"]
            yield 0.5
        if self.changes == 0:
            yield from self._change(caller, 0.2, f"/models/{self.version}/promote", True)
        if self.changes == 1:
            yield from self._change(caller, 0.7, "/models/rollback", False)
        self.load.operator_is_done.set()

    def _change(self, caller: Caller, when: float, path: str, serves: bool) -> Iterator[float]:
        """Once it is time, until the new version serves, or does not any more."""
        while time.monotonic() < self.begun + when * self.seconds:
            yield 0.2
        while True:
            status = caller.call("GET /status", "GET", "/status")
            if status.status == 200 and (status.body["champion"]["version"] == str(self.version)) == serves:
                self.load.kept.changes.append(f"{path} after {time.monotonic() - self.begun:.0f} s")
                self.changes += 1
                yield 1.0
                return
            response = caller.call(f"POST {path}", "POST", path, {"reason": "a soak"})
            if response.status not in (200, 503):
                self.load.notes.fault(f"POST {path} answered {response.status}: {response.body}")
                return
            yield 0.1


def _moment(text: str) -> int:
    """The epoch seconds of a time as the API writes it."""
    return clock.to_epoch(datetime.fromisoformat(text))
