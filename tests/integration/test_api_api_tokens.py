"""API tokens: a role, a name and an end, shown once, checked without Argon2, and over when their account is."""

from typing import Any

import pytest

from backend import accounts, clock
from backend.store import sql
from tests.conftest import Api
from tests.integration import rivals
from tests.integration.served import problem

YEAR = 365 * clock.DAY


def body(api: Api, **change: Any) -> dict[str, Any]:
    ends = clock.iso(api.clock[0] + YEAR)
    return {"name": "gate displays", "role": "viewer", "expires_at": ends} | change


def make(api: Api, by: dict[str, str], whose: str = "me", **change: Any) -> Any:
    return api.client().post(f"/accounts/{whose}/tokens", json=body(api, **change), headers=by)


def made(api: Api, by: dict[str, str], whose: str = "me", **change: Any) -> dict[str, Any]:
    answer = make(api, by, whose, **change)
    assert answer.status_code == 201, answer.text
    token: dict[str, Any] = answer.get_json()
    return token


def bearer(token: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {token['token']}"}


def status(api: Api, token: dict[str, Any], path: str = "/jobs") -> int:
    return api.client().get(path, headers=bearer(token)).status_code


def listed(api: Api, by: dict[str, str], whose: str = "me", query: str = "") -> list[dict[str, Any]]:
    answer = api.client().get(f"/accounts/{whose}/tokens{query}", headers=by)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.get_json()["items"]
    return items


def test_a_token_opens_what_its_role_may_do_until_its_end_and_is_shown_once(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = api.bearer("operator")
    monkeypatch.setattr(accounts, "verify", None)  # from here on, no password is checked
    token = made(api, operator)
    assert token["token"].startswith("pb_") and status(api, token) == 200
    assert api.client().post("/training", json={}, headers=bearer(token)).status_code == 403
    assert (
        api.client().post("/training", json={}, headers=bearer(made(api, operator, role="operator"))).status_code == 202
    )
    assert len(listed(api, operator)) == 2 and token["token"] not in str(listed(api, operator))
    with api.engine.connect() as connection:
        stored = str(connection.execute(sql.api_tokens.select()).all())
    assert token["token"] not in stored and token["token"].removeprefix("pb_") not in stored
    api.clock[0] += YEAR - 1
    assert status(api, token) == 200
    api.clock[0] += 1
    assert status(api, token) == 401


def test_the_list_says_what_each_is_for_until_when_and_the_day_of_its_last_use(api: Api) -> None:
    viewer = api.bearer("viewer")
    token = made(api, viewer, name="b")
    made(api, viewer, name="a")
    written: list[str] = []
    for seconds in (0, 60, clock.DAY):
        api.clock[0] += seconds
        assert status(api, token) == 200
        written.append(listed(api, bearer(token), query="?sort=-name")[0]["last_used_on"])
    assert written == ["2026-11-23", "2026-11-23", "2026-11-24"]
    (used,) = [one for one in listed(api, bearer(token)) if one["id"] == token["id"]]
    assert (used["name"], used["role"], used["made_by"], used["active"]) == ("b", "viewer", "viewer", True)
    assert used["expires_at"] == token["expires_at"]
    assert [one["name"] for one in listed(api, bearer(token), query="?sort=name")] == ["a", "b"]
    assert [one["last_used_on"] for one in listed(api, bearer(token)) if one["name"] == "a"] == [None]


@pytest.mark.parametrize("end", ["disable", "reset", "role", "revoke", "post"])
def test_a_token_ends_with_its_account_or_by_itself(api: Api, end: str) -> None:
    operator, identity = api.bearer("operator"), api.accounts["operator"].id
    token, other = made(api, operator), made(api, operator)
    if end == "disable":
        accounts.disable(api.documents, identity)
        assert status(api, token) == 401
        accounts.enable(api.documents, identity)
    elif end == "reset":
        accounts.reset_password(api.documents, identity, "another long password")
    elif end == "role":
        accounts.give_role(api.documents, identity, "viewer")
    elif end == "post":
        assert api.client().post("/token/revoke", data={"token": token["token"]}).status_code == 200
    else:
        for _ in range(2):
            answer = api.client().delete(f"/accounts/me/tokens/{token['id']}", headers=operator)
            assert answer.status_code == 204
    assert status(api, token) == 401
    assert status(api, other) == (200 if end in ("revoke", "post") else 401)
    by_admin = {one["id"]: one["active"] for one in listed(api, api.bearer("admin"), identity)}
    assert by_admin == {token["id"]: False, other["id"]: end in ("revoke", "post")}


@pytest.mark.sqlite("what a request says is judged before the database is asked")
def test_what_is_more_than_the_account_longer_than_a_year_or_no_name_is_refused(api: Api) -> None:
    bearers = {role: api.bearer(role) for role in ("viewer", "operator", "admin")}
    faults: list[tuple[str, str, Any]] = [
        ("viewer", "role", "analyst"),
        ("operator", "role", "admin"),
        ("admin", "role", "feeder"),
        ("admin", "role", "king"),
        ("admin", "expires_at", "2026-11-23T12:00:00Z"),
        ("admin", "expires_at", "2027-11-23T12:00:01Z"),
        ("admin", "expires_at", None),
        ("admin", "name", ""),
        ("admin", "name", "a\nb"),
        ("admin", "more", 1),
    ]
    for by, field, value in faults:
        said = problem(make(api, bearers[by], **{field: value}), 422)
        assert [error["pointer"] for error in said["errors"]] == [f"/{field}"]


def test_people_make_their_own_and_admins_those_of_machines(api: Api) -> None:
    viewer, admin = api.bearer("viewer"), api.bearer("admin")
    mine, feeder = made(api, viewer), api.accounts["feeder"].id
    problem(make(api, viewer, feeder, role="feeder"), 403)
    problem(make(api, admin, mine_of(api, "viewer")), 403)
    problem(make(api, admin, "nobody"), 404)
    problem(make(api, bearer(mine)), 403)
    token = made(api, admin, feeder, role="feeder")
    assert token["made_by"] == "admin" and status(api, token, "/status") == 200 and status(api, token) == 403
    problem(make(api, bearer(token)), 403)
    for method, path in (("GET", ""), ("DELETE", f"/{token['id']}")):
        problem(api.client().open(f"/accounts/{feeder}/tokens{path}", method=method, headers=viewer), 403)
    gone = api.client().delete(f"/accounts/{feeder}/tokens/{mine['id']}", headers=admin)
    problem(gone, 404)
    assert status(api, mine) == 200, "a token of another account is not found there"
    assert (
        api.client().delete(f"/accounts/{mine_of(api, 'viewer')}/tokens/{mine['id']}", headers=admin).status_code == 204
    )
    assert status(api, mine) == 401


def mine_of(api: Api, role: str) -> str:
    return api.accounts[role].id


def test_an_account_has_only_so_many(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.api.api_tokens.MOST_LIVING", 2)
    viewer = api.bearer("viewer")
    tokens = [made(api, viewer) for _ in range(2)]
    assert "revoke one" in problem(make(api, viewer), 409)["detail"]
    api.client().delete(f"/accounts/me/tokens/{tokens[0]['id']}", headers=viewer)
    made(api, viewer)


def test_the_ledger_says_who_made_and_revoked_it_and_not_what_it_is(api: Api) -> None:
    admin, feeder = api.bearer("admin"), api.accounts["feeder"].id
    token = made(api, admin, feeder, role="feeder", name="airline")
    api.client().delete(f"/accounts/{feeder}/tokens/{token['id']}", headers=admin)
    rows = rivals.decisions(api.settings, "account")
    assert [row.summary for row in rows] == [
        "admin made the API token 'airline' (feeder, until 2027-11-23T12:00:00Z) for the account feeder",
        "admin revoked the API token 'airline' of the account feeder",
    ]
    assert {row.evidence["token"] for row in rows} == {token["id"]} and token["token"] not in str(rows)


@pytest.mark.parametrize("text", ["pb_", "pb_x", "pb_" + "é" * 3000, "PB_x", "pb_\x00"], ids=range(5))
@pytest.mark.sqlite("no token is found by a hash on either")
def test_what_is_no_token_is_401(api: Api, text: str) -> None:
    headers = {"Authorization": f"Bearer {text}".encode().decode("latin-1")}
    problem(api.client().get("/jobs", headers=headers), 401)
