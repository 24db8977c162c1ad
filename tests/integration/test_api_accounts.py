"""Admins make accounts, change them and end them; what an account had opened ends with it."""

from typing import Any

import pytest

from backend import options
from backend.options import Limits
from tests.conftest import PASSWORD, Api
from tests.integration import rivals
from tests.integration.served import problem

GOOD = {"username": "night.shift", "password": "correct horse battery", "role": "analyst"}


def call(api: Api, method: str, path: str, body: dict[str, Any] | None = None, role: str = "admin") -> Any:
    return api.client().open(path, method=method, json=body, headers=api.bearer(role))


def made(api: Api) -> dict[str, Any]:
    answer = call(api, "POST", "/accounts", GOOD)
    assert answer.status_code == 201, answer.text
    account: dict[str, Any] = answer.get_json()
    assert answer.headers["Location"].endswith(f"/accounts/{account['id']}")
    return account


def token(api: Api, password: str = str(GOOD["password"])) -> Any:
    form = {"grant_type": "password", "username": GOOD["username"], "password": password}
    return api.client().post("/token", data=form)


def test_a_new_account_may_log_in_and_nothing_that_opens_it_is_shown(api: Api) -> None:
    account = made(api)
    assert account == {"id": account["id"], "username": "night.shift", "role": "analyst", "disabled": False}
    assert token(api).status_code == 200
    listed = call(api, "GET", "/accounts").get_json()["items"]
    assert account in listed and [one["username"] for one in listed] == sorted(one["username"] for one in listed)
    assert "argon2" not in call(api, "GET", "/accounts").text


def test_a_disabled_account_is_out_at_once_and_stays_out_until_it_is_enabled(api: Api) -> None:
    account = made(api)
    bearer = {"Authorization": f"Bearer {token(api).get_json()['access_token']}"}
    assert api.client().get("/jobs", headers=bearer).status_code == 200
    assert call(api, "PATCH", f"/accounts/{account['id']}", {"disabled": True}).get_json()["disabled"]
    assert api.client().get("/jobs", headers=bearer).status_code == 401
    assert token(api).status_code == 401
    assert not call(api, "PATCH", f"/accounts/{account['id']}", {"disabled": False}).get_json()["disabled"]
    assert token(api).status_code == 200
    assert api.client().get("/jobs", headers=bearer).status_code == 401, "what it held before stays worthless"


def test_another_password_and_another_role_end_what_was_open(api: Api) -> None:
    account = made(api)
    for change in ({"password": "another horse battery"}, {"role": "viewer"}):
        opened = token(api, str(GOOD["password"]) if "password" in change else "another horse battery")
        bearer = {"Authorization": f"Bearer {opened.get_json()['access_token']}"}
        assert call(api, "PATCH", f"/accounts/{account['id']}", change).status_code == 200
        assert api.client().get("/jobs", headers=bearer).status_code == 401
    assert call(api, "GET", f"/accounts/{account['id']}").get_json()["role"] == "viewer"


@pytest.mark.parametrize(
    "change",
    [
        {"username": "Night Shift"},
        {"username": "viewer"},
        {"password": "short"},
        {"password": "at night.shift now"},
        {"role": "king"},
        {"vip": True},
    ],
    ids=str,
)
def test_what_is_no_account_is_not_made(api: Api, change: dict[str, Any]) -> None:
    problem(call(api, "POST", "/accounts", GOOD | change), 422)
    assert token(api).status_code == 401


def test_the_last_admin_cannot_lock_everybody_out(api: Api) -> None:
    (admin,) = [one for one in call(api, "GET", "/accounts").get_json()["items"] if one["role"] == "admin"]
    for change in ({"disabled": True}, {"role": "viewer"}):
        said = problem(call(api, "PATCH", f"/accounts/{admin['id']}", change), 409)
        assert "only admin" in said["detail"]
    made_second = call(api, "POST", "/accounts", GOOD | {"role": "admin"})
    assert made_second.status_code == 201
    assert call(api, "PATCH", f"/accounts/{admin['id']}", {"disabled": True}).status_code == 200


def test_only_admins_see_and_change_accounts(api: Api) -> None:
    account = made(api)
    for role in ("viewer", "analyst", "operator", "feeder"):
        for method, path, body in (
            ("GET", "/accounts", None),
            ("POST", "/accounts", GOOD),
            ("GET", f"/accounts/{account['id']}", None),
            ("PATCH", f"/accounts/{account['id']}", {"disabled": True}),
        ):
            problem(call(api, method, path, body, role), 403)
    problem(call(api, "GET", "/accounts/nobody"), 404)


def test_the_ledger_says_who_did_it_and_no_secret(api: Api) -> None:
    account = made(api)
    call(api, "PATCH", f"/accounts/{account['id']}", {"password": "another horse battery", "disabled": True})
    rows = rivals.decisions(api.settings, "account")
    assert [row.summary for row in rows] == [
        "admin created as analyst the account night.shift",
        "admin gave another password to the account night.shift",
        "admin disabled the account night.shift",
    ]
    assert not any(secret in str(row) for row in rows for secret in ("horse", PASSWORD, "argon2"))


def change_password(api: Api, by: dict[str, str], old: str, new: str) -> Any:
    return api.client().post("/accounts/me/password", json={"old": old, "new": new}, headers=by)


def test_everybody_changes_the_own_password_and_only_the_session_that_asks_stays(api: Api) -> None:
    first, second = api.bearer("viewer"), api.bearer("viewer")
    token = api.client().post(
        "/accounts/me/tokens",
        json={"name": "x", "role": "viewer", "expires_at": "2026-12-24T12:00:00Z"},
        headers=second,
    )
    by_token = {"Authorization": f"Bearer {token.get_json()['token']}"}
    problem(change_password(api, by_token, PASSWORD, "another horse battery"), 403)
    assert change_password(api, first, PASSWORD, "another horse battery").status_code == 204
    statuses = [api.client().get("/jobs", headers=by).status_code for by in (first, second, by_token)]
    assert statuses == [200, 401, 401]
    login = {"username": "viewer", "password": PASSWORD}
    assert api.client().post("/sessions", json=login).status_code == 401
    assert api.client().post("/sessions", json=login | {"password": "another horse battery"}).status_code == 201
    (row,) = [row for row in rivals.decisions(api.settings, "account") if "password" in row.summary]
    assert row.summary == "viewer changed the password of the account viewer"


@pytest.mark.sqlite("the database has no part in it")
def test_the_old_password_is_needed_and_the_new_one_has_to_be_good(api: Api) -> None:
    headers = api.bearer("feeder")
    problem(change_password(api, headers, "wrong", "another horse battery"), 403)
    for new, complaint in (
        ("short", "at least 12"),
        (PASSWORD, "the old one"),
        ("Password2026!", "tried first"),
        ("the feeder's new one", "name in it"),
    ):
        said = problem(change_password(api, headers, PASSWORD, new), 422)
        assert complaint in said["errors"][0]["reason"] and said["errors"][0]["pointer"] == "/new"
    assert api.client().get("/status", headers=headers).status_code == 200, "and nothing has ended"


@pytest.mark.sqlite("limits are tried on both where logins are")
def test_a_stolen_session_cannot_guess_the_old_password(api: Api) -> None:
    headers = api.bearer("viewer")
    options.write(api.documents, "limits", Limits(failures_without_wait=3))
    statuses = [change_password(api, headers, "wrong", "another horse battery").status_code for _ in range(5)]
    assert statuses == [403, 403, 403, 403, 429]
