"""The log of access: every decision, who it was about and where it came from, and no secret."""

import base64
from dataclasses import dataclass
from typing import Any

import pytest

from backend import accounts, options
from backend.monitoring import logs
from backend.options import Limits
from tests.conftest import PASSWORD, Api
from tests.integration.heard import Heard

HERE = "192.0.2.1"
ANOTHER = "another horse battery"
NOT_FOR_THIS_ROLE = "Your account's role may not do this: ask an admin."


def decisions(heard: Heard) -> list[tuple[str, str | None, str]]:
    """What was decided since the last time, about whom, and why."""
    lines = heard.lines(logs.ACCESS)
    assert all(line["address"] == HERE and line["request_id"] for line in lines)
    heard.forget()
    return [(line["decision"], line["account"], line["reason"]) for line in lines]


def call(api: Api, method: str, path: str, **parts: Any) -> Any:
    return api.client().open(path, method=method, environ_base={"REMOTE_ADDR": HERE}, **parts)


def log_in(api: Api, username: str, password: str = PASSWORD) -> Any:
    return call(api, "POST", "/sessions", json={"username": username, "password": password})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.sqlite("what is logged depends on no database")
def test_logins_say_how_they_went_and_name_nobody_who_does_not_exist(api: Api, heard: Heard) -> None:
    options.write(api.documents, "limits", Limits(failures_without_wait=3))
    accounts.disable(api.documents, api.accounts["analyst"].id)
    log_in(api, "viewer")
    log_in(api, PASSWORD)  # in the wrong field
    log_in(api, "analyst")
    for _ in range(5):
        log_in(api, "operator", "a wrong one")
    assert decisions(heard) == [
        ("login", "viewer", ""),
        ("login failed", None, "no such account"),
        ("login failed", "analyst", "disabled"),
        *[("login failed", "operator", "wrong password")] * 4,
        ("login put off", "operator", "Too many failed logins"),
    ]


@dataclass
class Course:
    """What was decided, step by step, and all that was logged meanwhile."""

    heard: Heard
    text: str = ""

    def expect(self, *expected: tuple[str, str | None, str]) -> None:
        """These and no other decisions were logged since the last time."""
        self.text += self.heard.text
        assert decisions(self.heard) == list(expected)


@pytest.mark.sqlite("what is logged depends on no database")
def test_tokens_and_changes_of_accounts_have_their_lines_and_no_line_has_a_secret(api: Api, heard: Heard) -> None:
    course = Course(heard)
    form = {"grant_type": "password", "username": "admin", "password": PASSWORD}
    tokens = call(api, "POST", "/token", data=form).get_json()
    admin = bearer(tokens["access_token"])
    course.expect(("login", "admin", ""), ("token issued", "admin", "password"))

    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    renewed = call(api, "POST", "/token", data=refresh).get_json()
    course.expect(("token issued", "admin", "refresh_token"))

    end = {"name": "displays", "role": "viewer", "expires_at": "2026-12-24T12:00:00Z"}
    api_token = call(api, "POST", "/accounts/me/tokens", json=end, headers=admin).get_json()
    made = "made the API token 'displays' (viewer, until 2026-12-24T12:00:00Z) for"
    course.expect(("account changed", "admin", made))
    call(api, "POST", "/training", json={}, headers=bearer(api_token["token"]))
    course.expect(("not allowed", "admin", NOT_FOR_THIS_ROLE))
    call(api, "DELETE", f"/accounts/me/tokens/{api_token['id']}", headers=admin)
    course.expect(("account changed", "admin", "revoked the API token 'displays' of"))
    call(api, "GET", "/jobs", headers=bearer(api_token["token"]))
    over = "The API token is none, is over, or was ended: make another one at POST /accounts/me/tokens."
    course.expect(("credentials refused", None, over))

    new = {"username": "anna", "password": ANOTHER, "role": "viewer"}
    anna = call(api, "POST", "/accounts", json=new, headers=admin).get_json()["id"]
    for change in ({"password": "a third horse battery"}, {"role": "analyst"}, {"disabled": True}):
        call(api, "PATCH", f"/accounts/{anna}", json=change, headers=admin)
    changes = ["created as viewer", "gave another password to", "gave the role analyst to", "disabled"]
    course.expect(*(("account changed", "admin", change) for change in changes))

    call(api, "POST", "/token", data=refresh)
    twice = "it came a second time: all that came from the same password has ended"
    course.expect(("refresh token reused", "admin", twice))
    call(api, "POST", "/token", data={**refresh, "refresh_token": renewed["refresh_token"]})
    course.expect(("refresh token refused", None, "none, or over"))
    call(api, "GET", "/jobs", headers=admin)
    course.expect(("credentials refused", None, "The session has ended: log in again."))

    secrets = [PASSWORD, ANOTHER, "horse battery", api_token["token"]]
    secrets += [given[name] for given in (tokens, renewed) for name in ("access_token", "refresh_token")]
    assert not [secret for secret in secrets if secret in course.text]


@pytest.mark.sqlite("what is logged depends on no database")
def test_sessions_and_refusals_have_their_lines_and_no_line_has_a_secret(api: Api, heard: Heard) -> None:
    course = Course(heard)
    session = log_in(api, "viewer").get_json()["session"]
    token = call(api, "POST", "/sessions/token", json={"session": session}).get_json()["access_token"]
    changed = {"old": PASSWORD, "new": ANOTHER}
    call(api, "POST", "/accounts/me/password", json=changed, headers=bearer(token))
    call(api, "DELETE", "/sessions", json={"session": session})
    course.expect(
        ("login", "viewer", ""),
        ("token issued", "viewer", "session"),
        ("login", "viewer", ""),
        ("account changed", "viewer", "changed the password of"),
        ("logout", "viewer", ""),
    )
    call(api, "GET", "/jobs")
    send = "Send name and password by HTTP Basic, or a token as `Authorization: Bearer …`."
    course.expect(("credentials refused", None, send))
    pair = base64.b64encode(f"operator:{PASSWORD}".encode()).decode()
    call(api, "GET", "/accounts", headers={"Authorization": f"Basic {pair}"})
    course.expect(("login", "operator", ""), ("not allowed", "operator", NOT_FOR_THIS_ROLE))
    call(api, "POST", "/sessions", json={}, headers={"Origin": "https://evil.example"})
    course.expect(("foreign origin refused", None, "neither the API's own nor in PUSHBACK_ORIGINS"))
    assert not [secret for secret in (PASSWORD, ANOTHER, pair, session, token) if secret in course.text]
