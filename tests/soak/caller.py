"""A client as a user's system is one: it keeps its connection and its tokens, and notes what did not go well."""

import http.client
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import urlencode

PATIENCE_SECONDS = 60
KILLED_WITHIN_SECONDS = 0.2  # of when it was noted, which is before it is done
IDLE_SECONDS = 30  # a connection that was not used for longer may have been ended by the server
REFRESH_SECONDS = 60  # a token lasts 15 minutes; to refresh it is part of the load


class Response(NamedTuple):
    """What came back; when it was asked for and had come, in seconds since 1970."""

    sent: float
    came: float
    status: int
    body: Any


@dataclass
class Notes:
    """What all callers saw: answers by call and status, faults in sentences, and when processes were killed."""

    answers: dict[tuple[str, int], int] = field(default_factory=dict)
    slowest: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    cut_off: int = 0
    kills: list[float] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def answered(self, call: str, response: Response) -> None:
        """Count an answer."""
        with self._lock:
            self.answers[call, response.status] = self.answers.get((call, response.status), 0) + 1
            self.slowest[call] = max(self.slowest.get(call, 0), response.came - response.sent)

    def fault(self, sentence: str) -> None:
        """Something that must not be."""
        with self._lock:
            self.faults.append(sentence)

    def lost(self, connected: float, now: float, what: str) -> None:
        """A connection ended without an answer, which it may do once, and only if a kill came after it was made."""
        with self._lock:
            if any(connected <= kill + KILLED_WITHIN_SECONDS and kill <= now for kill in self.kills):
                self.cut_off += 1
            else:
                self.faults.append(f"{what} on a connection that no kill has cut")


class Cut(Exception):
    """There was no answer."""


class Caller:
    """One account's client. Not for several threads."""

    def __init__(self, port: int, username: str, password: str, notes: Notes) -> None:
        self._port, self._notes = port, notes
        self._account = {"username": username, "password": password}
        self._connection: http.client.HTTPConnection | None = None
        self._connected = self._used = self._token_since = 0.0
        self._token = self._refresh = ""

    def call(self, what: str, method: str, path: str, body: Any = None, **headers: str) -> Response:
        """The answer to a call by that account. Raises Cut where a kill came between."""
        if time.monotonic() - self._token_since > REFRESH_SECONDS:
            self._renew()
        headers |= {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        return self._ask(what, method, path, content, {name.replace("_", "-"): said for name, said in headers.items()})

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _renew(self) -> None:
        """New tokens: by the refresh token, or by the password at first, and where nobody knows whether it was used."""
        refresh, self._refresh = self._refresh, ""
        grant = {"grant_type": "refresh_token", "refresh_token": refresh} if refresh else self._by_password()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        response = self._ask("POST /token", "POST", "/token", urlencode(grant), kind)
        if response.status == 503:  # two passwords are being checked: the next call tries again
            raise Cut
        if response.status != 200:
            self._notes.fault(f"POST /token answered {response.status}: {response.body}")
            raise Cut
        self._token, self._refresh = response.body["access_token"], response.body["refresh_token"]
        self._token_since = time.monotonic()

    def _by_password(self) -> dict[str, str]:
        return {"grant_type": "password", **self._account}

    def _ask(self, what: str, method: str, path: str, content: str | None, headers: dict[str, str]) -> Response:
        sent = time.time()
        if sent - self._used > IDLE_SECONDS:
            self.close()
        self._used = sent
        try:
            if self._connection is None:
                self._connected = sent
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
            self._connection.request(method, path, content, headers)
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            self._notes.lost(self._connected, time.time(), f"{what}: {type(error).__name__}: {error}")
            raise Cut from error
        response = Response(sent, time.time(), answer.status, self._said(what, answer, body))
        self._notes.answered(what, response)
        return response

    def _said(self, what: str, answer: http.client.HTTPResponse, body: bytes) -> Any:
        """The answer's JSON. An error has to be problem details, and one that passes has to say when."""
        said: Any = None
        with suppress(ValueError):
            said = json.loads(body)
        if answer.status >= 400:
            right = answer.headers["Content-Type"] == "application/problem+json" and isinstance(said, dict)
            passes = answer.status != 503 or answer.headers["Retry-After"]
            if answer.status == 500 or not right or not passes:
                self._notes.fault(f"{what} answered {answer.status} with {body[:300]!r}")
        elif said is None:
            self._notes.fault(f"{what} answered {answer.status} with {body[:300]!r}")
        return said
