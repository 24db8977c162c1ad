"""The only code of the app that speaks HTTP: one method a call of the API, and one exception for all that may fail."""

import time
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

import requests

from ui.answers import Flight, Job, Opened, Prediction, Ready, Status, Token, Version
from ui.voucher import Voucher


class ApiError(Exception):
    """A call that failed. `sentence` is for the person; `status` is the HTTP status, or None if nothing answered."""

    def __init__(self, title: str, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        self.title = title
        self.sentence = sentence
        self.status = status


def problem(status: int, body: object) -> ApiError:
    """The error that an answer with this status and decoded body (None: not JSON) stands for.

    Problem details (RFC 9457) give their title, their detail and the reason of each of their `errors`.
    """
    if not isinstance(body, Mapping):
        return ApiError(
            "The API failed", f"The API answered {status} without saying why. Its log has the reason.", status
        )
    title = str(body.get("title") or f"The API answered {status}")
    sentences = [str(body.get("detail") or title)]
    for error in body.get("errors") or []:
        reason, accepted = str(error.get("reason") or ""), error.get("accepted")
        if not reason or reason in sentences[0]:
            continue
        field = str(error.get("pointer") or error.get("parameter") or "").rsplit("/", 1)[-1].replace("_", " ")
        choices = ", ".join(map(str, accepted)) if isinstance(accepted, list) else accepted
        said = reason if choices in (None, "") else f"{reason} (accepted: {choices})"
        sentences.append(f"{field}: {said}" if field else said)
    return ApiError(title, " ".join(f"{sentence.rstrip('.')}." for sentence in sentences), status)


class Client:
    """The API at `api_url`, as one person sees it. `token` is that person's JWT, set before calls that need one, and
    `voucher` says where that person is."""

    def __init__(self, api_url: str, timeout_seconds: float) -> None:
        self.api_url = api_url
        self.timeout_seconds = timeout_seconds
        self.token: str | None = None
        self.voucher: Voucher | None = None
        self._http = requests.Session()
        # A .netrc would replace the token by a stored password, and a proxy has no business between app and API.
        self._http.trust_env = False

    def _call(self, method: str, path: str, **parts: Any) -> Any:
        headers = {} if self.voucher is None else self.voucher.header(int(time.time()))
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            response = self._http.request(
                method, self.api_url + path, headers=headers, timeout=self.timeout_seconds, **parts
            )
        except requests.Timeout as error:
            waited = f"The API at {self.api_url} did not answer within {self.timeout_seconds:.0f} s."
            raise ApiError("The API is slow", waited) from error
        except requests.RequestException as error:
            raise ApiError("The API does not answer", f"Nothing answers at {self.api_url}.") from error
        try:
            body = response.json() if response.content else None
        except requests.JSONDecodeError:
            body = None
        not_ready = path == "/health/ready" and isinstance(body, Mapping) and "missing" in body
        if response.status_code >= 400 and not not_ready:
            raise problem(response.status_code, body)
        return body

    def log_in(self, username: str, password: str) -> Opened:
        """Opens a session. Raises ApiError with status 401 for a wrong name or password, 429 after too many."""
        return cast(Opened, self._call("POST", "/sessions", json={"username": username, "password": password}))

    def exchange(self, session: str) -> Token:
        """A short JWT for an open session. Raises ApiError with status 401 once the session has ended."""
        return cast(Token, self._call("POST", "/sessions/token", json={"session": session}))

    def log_out(self, session: str) -> None:
        """Ends the session, and with it every JWT that was made from it."""
        self._call("DELETE", "/sessions", json={"session": session})

    def ready(self) -> Ready:
        """Whether the installation can answer predictions, and in sentences what is missing if not."""
        return cast(Ready, self._call("GET", "/health/ready"))

    def status(self) -> Status:
        """The clock, the facts, the champion and the names of airports and carriers."""
        return cast(Status, self._call("GET", "/status"))

    def versions(self) -> list[Version]:
        """The newest page of trained versions, newest first."""
        return cast(list[Version], self._call("GET", "/models")["items"])

    def flights(
        self, cursor: str | None = None, limit: int = 12, **filters: str | None
    ) -> tuple[list[Flight], str | None]:
        """Coming flights, nearest first, and the cursor of the next page (None: no more).

        Filters are the API's: origin, dest, carrier, from, until; None or "" leaves one out.
        """
        query = {**{name: text for name, text in filters.items() if text}, "limit": limit}
        page = self._call("GET", "/flights", params=query | ({"cursor": cursor} if cursor else {}))
        return cast(list[Flight], page["items"]), page["next"]

    def flight(self, flight_id: str) -> Flight:
        """One flight by its id. Raises ApiError with status 404 if there is none."""
        return cast(Flight, self._call("GET", f"/flights/{quote(flight_id, safe='')}"))

    def predict(self, flight: Mapping[str, Any]) -> Prediction:
        """The risk of one flight, given as {"id"} or by its schedule. Raises ApiError, status 422, if it has left."""
        return cast(Prediction, self._call("POST", "/predict", json={"flights": [dict(flight)]})["predictions"][0])

    def retrain(self) -> Job:
        """Queues a training of a new version on everything that is final at the data clock."""
        return cast(Job, self._call("POST", "/training", json={}))

    def jobs(self) -> list[Job]:
        """The newest page of the jobs that this person may see, newest first."""
        return cast(list[Job], self._call("GET", "/jobs")["items"])

    def job(self, job_id: str) -> Job:
        """One job as it stands now."""
        return cast(Job, self._call("GET", f"/jobs/{job_id}"))

    def cancel(self, job_id: str) -> None:
        """Asks a job to stop."""
        self._call("DELETE", f"/jobs/{job_id}")
