"""The API as a feeder's program calls it: one kept connection, a token, and patience with a server that comes back."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import requests

logger = logging.getLogger("jobs.feed")

TIMEOUT_SECONDS = 120
TRY_AGAIN = (429, 500, 502, 503, 504)
LONGEST_WAIT_SECONDS = 5.0


class Answer(NamedTuple):
    """A status and its JSON; problem details where the status says so."""

    status: int
    body: dict[str, Any]


class RefusedError(RuntimeError):
    """The server will not do it, however often it is asked; the sentence is its own."""


class Client:
    """One account at one API. `stopped` is asked between attempts: InterruptedError is raised once it says so."""

    def __init__(self, url: str, username: str, password_file: Path, stopped: Callable[[], bool]) -> None:
        self._url, self._username, self._password_file, self._stopped = url, username, password_file, stopped
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands between the parts of one installation
        self._token: str | None = None
        self._waits_for = ""

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """The answer to a request with that JSON, which is asked again until the server gives one that counts.

        Whatever is asked here may be asked twice. Raises RefusedError where the account may not.
        """
        wait = 0.05
        while True:
            answer = self.attempt(method, path, body)
            if answer is not None:
                return answer
            if self._stopped():
                raise InterruptedError
            time.sleep(wait)
            wait = min(LONGEST_WAIT_SECONDS, 2 * wait)

    def attempt(self, method: str, path: str, body: Any = None) -> Answer | None:
        """The same, asked once: None where it has to be asked again."""
        try:
            if self._token is None:
                self._token = self._log_in()
            headers = {"Authorization": f"Bearer {self._token}"}
            response = self._session.request(
                method, self._url + path, json=body, headers=headers, timeout=TIMEOUT_SECONDS
            )
        except (requests.ConnectionError, requests.Timeout, FileNotFoundError) as error:
            self._wait_for(type(error).__name__, str(error))
            return None
        if response.status_code == 401:
            self._token = None  # it is over, or the server has another key now
            self._wait_for("401", "a new token")
            return None
        if response.status_code in TRY_AGAIN:
            self._wait_for(str(response.status_code), response.text[:500])
            return None
        self._waits_for = ""
        answer = Answer(response.status_code, response.json() if response.content else {})
        if answer.status == 403:
            raise RefusedError(f"{self._username} may not {method} {path}: {answer.body.get('detail')}")
        return answer

    def _wait_for(self, what: str, detail: str) -> None:
        """Says once what it waits for."""
        if what != self._waits_for:
            logger.warning("waiting for the server: %s", detail)
        self._waits_for = what

    def _log_in(self) -> str | None:
        password = self._password_file.read_text(encoding="utf-8").strip()
        form = {"grant_type": "password", "username": self._username, "password": password}
        response = self._session.post(f"{self._url}/token", data=form, timeout=TIMEOUT_SECONDS)
        if response.status_code == 401:
            raise RefusedError(f"{self._username} cannot log in with the password in {self._password_file}")
        return str(response.json()["access_token"]) if response.status_code == 200 else None

    def close(self) -> None:
        """Lets go of the connection."""
        self._session.close()
