"""Who may use the API, and when that ends."""

import base64
import re
import threading

import jwt
import pytest
from jwt.types import Options

from backend import accounts, clock, signing
from backend.api import auth as auth_module
from backend.api import bearers
from backend.store import sessions
from tests.conftest import PASSWORD, Api


def basic(username: str, password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


def status(api: Api, headers: dict[str, str]) -> int:
    return api.client().get("/jobs", headers=headers).status_code


def log_in(api: Api, role: str = "viewer") -> str:
    answer = api.client().post("/sessions", json={"username": role, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["session"])


def exchange(api: Api, session: str) -> int:
    return api.client().post("/sessions/token", json={"session": session}).status_code


def session_bearer(api: Api, session: str) -> dict[str, str]:
    answer = api.client().post("/sessions/token", json={"session": session})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.get_json()['access_token']}"}


def test_without_credentials_the_answer_is_401_with_both_challenges(api: Api) -> None:
    answer = api.client().get("/jobs")
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["WWW-Authenticate"] and "Basic" in answer.headers["WWW-Authenticate"]


def test_basic_opens_with_the_right_password_only(api: Api) -> None:
    assert status(api, basic("viewer")) == 200
    assert status(api, basic("viewer", "wrong")) == 401
    assert status(api, basic("nobody")) == 401
    assert status(api, basic("")) == 401


@pytest.mark.parametrize("header", ["Basic", "Basic !!", "Bearer", "Bearer x.y.z", "bearer ", "Digest x", "", "x"])
def test_credentials_that_are_none_get_401(api: Api, header: str) -> None:
    assert status(api, {"Authorization": header}) == 401


def test_the_scheme_may_be_written_in_any_case(api: Api) -> None:
    token = api.token("viewer")
    assert status(api, {"Authorization": f"bearer {token}"}) == 200
    assert status(api, {"Authorization": basic("viewer")["Authorization"].replace("Basic", "basic")}) == 200


def test_unknown_names_wrong_passwords_and_disabled_accounts_get_the_same_answer(api: Api) -> None:
    accounts.disable(api.documents, api.accounts["analyst"].id)
    tries = [("nobody", PASSWORD), ("viewer", "wrong"), ("analyst", PASSWORD)]
    answers = [api.client().post("/sessions", json={"username": name, "password": given}) for name, given in tries]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


def test_a_token_of_the_password_grant_opens_and_says_how_long(api: Api) -> None:
    form = {"grant_type": "password", "username": "viewer", "password": PASSWORD, "scope": "", "client_id": "x"}
    answer = api.client().post("/token/", data=form).get_json()
    assert answer["token_type"] == "bearer"
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    api.clock[0] += answer["expires_in"] - 1
    assert status(api, headers) == 200
    api.clock[0] += 1
    assert status(api, headers) == 401


def test_a_session_is_exchanged_for_a_short_token(api: Api) -> None:
    session = log_in(api, "analyst")
    answer = api.client().post("/sessions/token", json={"session": session}).get_json()
    assert (answer["username"], answer["role"], answer["token_type"]) == ("analyst", "analyst", "bearer")
    assert 60 <= answer["expires_in"] <= 300
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    assert status(api, headers) == 200
    api.clock[0] += answer["expires_in"]
    assert status(api, headers) == 401
    assert exchange(api, session) == 200


def test_a_session_says_when_it_ends_and_ends_then(api: Api) -> None:
    answer = api.client().post("/sessions", json={"username": "viewer", "password": PASSWORD}).get_json()
    api.clock[0] += 7 * clock.DAY - 1
    assert clock.iso(api.clock[0] + 1) == answer["expires_at"]
    headers = session_bearer(api, answer["session"])
    api.clock[0] += 1
    assert exchange(api, answer["session"]) == 401
    assert status(api, headers) == 401


def test_logout_by_the_session_ends_the_session_and_its_tokens(api: Api) -> None:
    session = log_in(api)
    headers = session_bearer(api, session)
    assert api.client().delete("/sessions", json={"session": session}).status_code == 204
    assert exchange(api, session) == 401
    assert status(api, headers) == 401
    assert api.client().delete("/sessions", json={"session": session}).status_code == 204


def test_logout_by_the_bearer_ends_the_session_and_nobody_elses(api: Api) -> None:
    session, other = log_in(api), log_in(api)
    assert api.client().delete("/sessions", headers=session_bearer(api, session)).status_code == 204
    assert exchange(api, session) == 401
    assert exchange(api, other) == 200


def test_a_token_of_the_password_grant_can_be_revoked(api: Api) -> None:
    headers = api.bearer("viewer")
    assert api.client().delete("/sessions", headers=headers).status_code == 204
    assert status(api, headers) == 401


def test_logout_without_saying_of_what_is_refused(api: Api) -> None:
    assert api.client().delete("/sessions").status_code == 401
    assert api.client().delete("/sessions", headers=basic("viewer")).status_code == 401


@pytest.mark.parametrize("end", ["disable", "reset"])
def test_disabling_and_resetting_end_sessions_and_tokens_at_once_and_for_good(api: Api, end: str) -> None:
    session, token = log_in(api), api.bearer("viewer")
    from_session = session_bearer(api, session)
    identity = api.accounts["viewer"].id
    if end == "disable":
        accounts.disable(api.documents, identity)
        assert status(api, basic("viewer")) == 401
        accounts.enable(api.documents, identity)
    else:
        accounts.reset_password(api.documents, identity, "another long password")
        assert status(api, basic("viewer")) == 401
    assert exchange(api, session) == 401
    assert status(api, token) == 401
    assert status(api, from_session) == 401


def test_the_session_id_and_its_hash_are_not_each_other(api: Api) -> None:
    session = log_in(api)
    assert exchange(api, sessions.hash_of(session)) == 401


@pytest.mark.parametrize(
    ("change", "key", "algorithm"),
    [
        ({}, "another key that is long enough for HMAC-SHA256", "HS256"),
        ({}, "", "none"),
        ({}, None, "HS512"),
        ({"iss": "somebody"}, None, "HS256"),
        ({"aud": "another"}, None, "HS256"),
        ({"sid": "0" * 64}, None, "HS256"),
        ({"exp": None}, None, "HS256"),
        ({"sid": None}, None, "HS256"),
        ({"exp": 1}, None, "HS256"),
    ],
)
def test_tokens_that_this_server_did_not_make_so_are_refused(
    api: Api, change: dict[str, object], key: str | None, algorithm: str
) -> None:
    token = api.token("admin")
    (signer,) = signing.read(api.settings.secrets / signing.NAME)
    secret, header = signer.secret, {"kid": signer.kid}
    unverified: Options = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token, secret, ["HS256"], audience=bearers.AUDIENCE, options=unverified)
    unchanged = jwt.encode(claims, secret, "HS256", header)
    assert status(api, {"Authorization": f"Bearer {unchanged}"}) == 200
    forged = {name: value for name, value in {**claims, **change}.items() if value is not None}
    text = jwt.encode(forged, secret if key is None else key, algorithm, header)
    assert status(api, {"Authorization": f"Bearer {text}"}) == 401


def test_a_viewer_may_not_train_and_an_operator_may(api: Api) -> None:
    for role in ("viewer", "analyst", "feeder", "alerts", "metrics"):
        assert api.client().post("/training", headers=api.bearer(role), json={}).status_code == 403, role
    for role in ("operator", "admin"):
        assert api.client().post("/training", headers=api.bearer(role), json={}).status_code == 202, role


def test_a_change_of_role_counts_from_the_next_request(api: Api) -> None:
    headers = api.bearer("operator")
    api.documents.table("accounts").update({"role": "viewer"}, doc_ids=[api.accounts["operator"].id])  # type: ignore
    assert api.client().post("/training", headers=headers, json={}).status_code == 403


def test_no_more_than_two_passwords_are_checked_at_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_module, "PATIENCE_SECONDS", 0.0)
    answers: list[tuple[int, str | None]] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        answer = api.client().get("/jobs", headers=basic("viewer", "wrong"))
        answers.append((answer.status_code, answer.headers.get("Retry-After")))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {code for code, _ in answers} == {401, 503}
    assert all(wait for code, wait in answers if code == 503)
    assert status(api, basic("viewer")) == 200


def test_every_call_but_the_open_ones_asks_who_is_there(api: Api) -> None:
    open_calls = {
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
        ("POST", "/token"),
        ("POST", "/token/revoke"),
        ("POST", "/sessions"),
        ("POST", "/sessions/token"),
        ("GET", "/problems"),
        ("GET", "/problems/<name>"),
        ("GET", "/openapi.json"),
        ("GET", "/docs/"),
        ("GET", "/docs/<path:path>"),
    }
    for rule in api.app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if (method, rule.rule) not in open_calls:
                path = re.sub(r"<[^>]+>", "1", rule.rule)
                answer = api.client().open(path, method=method)
                assert answer.status_code == 401, f"{method} {rule.rule} answers {answer.status_code} to anybody"
