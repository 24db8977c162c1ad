"""Where a request comes from: pages of other origins, callers behind proxies, and browsers that the app vouches for."""

from dataclasses import replace
from typing import Any

import pytest

from backend import accounts, options
from backend.app import create_app
from backend.monitoring import logs
from backend.options import Limits
from tests.conftest import PASSWORD, Api
from tests.integration.heard import Heard
from tests.integration.served import problem
from ui.voucher import Voucher, browser_address

WRITES = [("POST", "/sessions"), ("PUT", "/settings/costs"), ("PATCH", "/accounts/x"), ("DELETE", "/sessions")]


def told(api: Api, **settings: Any) -> Api:
    """The same API with other settings of its machine."""
    return replace(api, app=create_app(replace(api.settings, **settings), lambda: api.clock[0]))


@pytest.mark.sqlite("it is decided before the database is asked")
def test_a_page_of_another_origin_may_read_and_not_write(api: Api) -> None:
    client = told(api, origins=("https://app.example",)).client()
    own, listed = "http://localhost", "https://app.example"
    foreign = ["https://localhost", "http://localhost:8501", "https://evil.example", "null", ""]
    for origin in (None, own, listed, *foreign):
        headers = {} if origin is None else {"Origin": origin}
        for method, path in WRITES:
            answer = client.open(path, method=method, json={}, headers=headers)
            if origin in foreign:
                assert "PUSHBACK_ORIGINS" in problem(answer, 403)["detail"]
            else:
                assert answer.status_code in (401, 422), answer.text
        assert client.get("/health/live", headers=headers).status_code == 200


@pytest.mark.sqlite("it is decided before the database is asked")
def test_as_many_proxies_are_believed_as_there_are(api: Api, heard: Heard) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "Authorization": "Bearer none"}
    found = []
    for proxies in range(4):
        heard.forget()
        client = told(api, proxies=proxies).client()
        client.get("/jobs", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.1"})
        found += [line["address"] for line in heard.lines(logs.ACCESS)]
    assert found == ["192.0.2.1", "198.51.100.7", "203.0.113.9", "192.0.2.1"]


@pytest.mark.sqlite("it is decided before the database is asked")
def test_behind_a_proxy_the_api_s_own_origin_is_the_one_that_browsers_see(api: Api) -> None:
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "pushback.example", "Origin": "https://pushback.example"}
    for proxies, status in ((0, 403), (1, 422)):
        answer = told(api, proxies=proxies).client().post("/sessions", json={}, headers=said)
        assert answer.status_code == status


def key_of(api: Api) -> str:
    accounts.first_start(api.settings, api.documents)
    return (api.settings.secrets / accounts.VOUCHER_KEY).read_text().strip()


@pytest.mark.sqlite("limits are tried on both where logins are")
def test_who_fails_at_the_app_s_form_makes_nobody_else_wait(api: Api) -> None:
    options.write(api.documents, "limits", Limits(failures_without_wait=3))
    key = key_of(api)

    def log_in(browser: str, password: str) -> int:
        login = {"username": "viewer", "password": password}
        headers = Voucher(key, browser).header(api.clock[0])
        return api.client().post("/sessions", json=login, headers=headers).status_code

    assert [log_in("192.0.2.66", "wrong") for _ in range(5)] == [401, 401, 401, 401, 429]
    assert log_in("192.0.2.66", PASSWORD) == 429
    assert log_in("192.0.2.7", PASSWORD) == 201


@pytest.mark.sqlite("it is decided before the database is asked")
def test_a_voucher_counts_where_it_is_fresh_and_whole(api: Api, heard: Heard) -> None:
    key, now = key_of(api), api.clock[0]

    def voucher(moment: int = now, by: str = key, address: str = "192.0.2.7") -> str:
        return Voucher(by, address).header(moment)["Pushback-Client"]

    right = voucher()
    wrong = [voucher(now - 61), voucher(now + 61), voucher(by="another"), voucher(address="nowhere")]
    wrong += [right.replace(".7", ".8"), right.replace(" ", ""), right[:-1] + "é", ""]
    for sent in (right, voucher(now - 60), *wrong):
        heard.forget()
        headers = {"Pushback-Client": sent, "Authorization": "Bearer none"}
        api.client().get("/jobs", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.1"})
        (line,) = heard.lines(logs.ACCESS)
        assert line["address"] == ("192.0.2.1" if sent in wrong else "192.0.2.7"), sent


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "proxies", "address"),
    [
        ("192.0.2.7", [], 0, "192.0.2.7"),
        ("192.0.2.7", ["203.0.113.9"], 0, "192.0.2.7"),
        (None, ["203.0.113.9, 198.51.100.7"], 1, "198.51.100.7"),
        (None, ["203.0.113.9", "198.51.100.7"], 2, "203.0.113.9"),
        (None, ["203.0.113.9"], 2, None),
        (None, [], 0, None),
    ],
)
def test_the_app_knows_its_browser_from_the_connection_or_from_its_proxies(
    peer: str | None, forwarded_for: list[str], proxies: int, address: str | None
) -> None:
    assert browser_address(peer, forwarded_for, proxies) == address
