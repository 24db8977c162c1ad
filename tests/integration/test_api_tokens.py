"""POST /token and POST /token/revoke: what OAuth2's clients rely on."""

import threading
from typing import Any

import pytest

from backend import accounts
from tests.conftest import PASSWORD, Api
from tests.integration.served import PROBLEM


def ask(api: Api, path: str = "/token", **form: str) -> Any:
    return api.client().post(path, data=form)


def log_in(api: Api, role: str = "viewer") -> dict[str, Any]:
    answer = ask(api, grant_type="password", username=role, password=PASSWORD)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.get_json()
    return said


def refresh(api: Api, token: str) -> Any:
    return ask(api, grant_type="refresh_token", refresh_token=token)


def opens(api: Api, tokens: dict[str, Any]) -> bool:
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return api.client().get("/jobs", headers=headers).status_code == 200


def refused(answer: Any, error: str, status: int = 400) -> None:
    assert (answer.status_code, answer.content_type) == (status, PROBLEM), answer.text
    assert answer.get_json()["error"] == error
    assert "no-store" in answer.headers["Cache-Control"]


def test_the_password_brings_an_access_token_and_a_refresh_token_that_brings_the_next(api: Api) -> None:
    first = log_in(api)
    assert first["expires_in"] <= 900
    api.clock[0] += first["expires_in"]
    assert not opens(api, first)
    second = refresh(api, first["refresh_token"]).get_json()
    assert opens(api, second)
    assert second["refresh_token"] != first["refresh_token"] and second["access_token"] != first["access_token"]
    assert opens(api, refresh(api, second["refresh_token"]).get_json())


def test_a_refresh_token_that_comes_twice_ends_its_whole_family_and_no_other(api: Api) -> None:
    other, first = log_in(api), log_in(api)
    second = refresh(api, first["refresh_token"]).get_json()
    refused(refresh(api, first["refresh_token"]), "invalid_grant")
    refused(refresh(api, second["refresh_token"]), "invalid_grant")
    assert not opens(api, first) and not opens(api, second)
    assert opens(api, other) and refresh(api, other["refresh_token"]).status_code == 200


def test_of_many_who_use_a_refresh_token_at_once_one_gets_the_next_and_the_family_ends(api: Api) -> None:
    token, start = log_in(api)["refresh_token"], threading.Barrier(6)
    answers: list[Any] = []

    def use() -> None:
        start.wait()
        answers.append(refresh(api, token))

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    (winner,) = [answer for answer in answers if answer.status_code == 200]
    refused(refresh(api, winner.get_json()["refresh_token"]), "invalid_grant")


def test_a_family_ends_seven_days_after_the_password_was_given(api: Api) -> None:
    tokens = log_in(api)
    for _ in range(7):
        api.clock[0] += 86_400 - 60
        tokens = refresh(api, tokens["refresh_token"]).get_json()
    assert tokens["expires_in"] == 420
    api.clock[0] += 420
    assert not opens(api, tokens)
    refused(refresh(api, tokens["refresh_token"]), "invalid_grant")


@pytest.mark.parametrize("end", ["disable", "reset", "role"])
def test_what_ends_an_account_ends_its_refresh_tokens(api: Api, end: str) -> None:
    tokens, identity = log_in(api, "operator"), api.accounts["operator"].id
    if end == "disable":
        accounts.disable(api.documents, identity)
    elif end == "role":
        accounts.give_role(api.documents, identity, "viewer")
    else:
        accounts.reset_password(api.documents, identity, "another long password")
    refused(refresh(api, tokens["refresh_token"]), "invalid_grant")


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_a_revoked_token_takes_its_family_with_it(api: Api, which: str) -> None:
    tokens, other = log_in(api), log_in(api)
    for _ in range(2):
        answer = ask(api, "/token/revoke", token=tokens[which], token_type_hint="whatever")
        assert (answer.status_code, answer.get_json()) == (200, {})
    assert not opens(api, tokens)
    refused(refresh(api, tokens["refresh_token"]), "invalid_grant")
    assert opens(api, other)


def test_a_refresh_token_that_was_used_may_still_be_revoked(api: Api) -> None:
    first = log_in(api)
    second = refresh(api, first["refresh_token"]).get_json()
    assert ask(api, "/token/revoke", token=first["refresh_token"]).status_code == 200
    assert not opens(api, second)


@pytest.mark.parametrize("token", ["x", "a.b", "a.b.c", ".", "\x00", "é" * 5000], ids=range(6))
def test_what_is_no_token_is_revoked_like_one_and_refreshes_nothing(api: Api, token: str) -> None:
    assert ask(api, "/token/revoke", token=token).status_code == 200
    refused(refresh(api, token), "invalid_grant")


@pytest.mark.parametrize(
    ("form", "error", "status"),
    [
        ({"scope": ""}, "invalid_request", 400),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type", 400),
        ({"grant_type": "password", "username": "viewer"}, "invalid_request", 400),
        ({"grant_type": "refresh_token"}, "invalid_request", 400),
        ({"grant_type": ["password", "password"], "username": "viewer", "password": PASSWORD}, "invalid_request", 400),
        ({"grant_type": "password", "username": ["viewer", "admin"], "password": PASSWORD}, "invalid_request", 400),
        ({"grant_type": "password", "username": "viewer", "password": "wrong"}, "invalid_grant", 401),
    ],
    ids=str,
)
def test_errors_carry_the_word_of_the_standard(api: Api, form: dict[str, Any], error: str, status: int) -> None:
    refused(api.client().post("/token", data=form), error, status)


def test_credentials_in_the_query_count_for_nothing(api: Api) -> None:
    query = f"grant_type=password&username=viewer&password={PASSWORD.replace(' ', '+')}"
    answer = api.client().post(f"/token?{query}", data={"x": "1"})
    refused(answer, "invalid_request")


def test_a_part_of_a_refresh_token_is_no_session_of_the_app(api: Api) -> None:
    token = log_in(api)["refresh_token"]
    for text in (token, *token.split(".")):
        assert api.client().post("/sessions/token", json={"session": text}).status_code == 401
        assert not opens(api, {"access_token": text})
