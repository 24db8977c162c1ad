"""Where a request comes from: pages of other origins, and callers behind proxies."""

from dataclasses import replace
from typing import Any

import pytest

from backend.app import create_app
from backend.monitoring import logs
from tests.conftest import Api
from tests.integration.heard import Heard
from tests.integration.served import problem

WRITES = [("POST", "/sessions"), ("PUT", "/settings/costs"), ("PATCH", "/accounts/x"), ("DELETE", "/sessions")]


def told(api: Api, **settings: Any) -> Api:
    """The same API with other settings of its machine."""
    return replace(api, app=create_app(replace(api.settings, **settings), lambda: api.clock[0]))


@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        (None, True),
        ("http://localhost", True),
        ("https://app.example", True),
        ("https://localhost", False),
        ("http://localhost:8501", False),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
    ],
    ids=str,
)
@pytest.mark.sqlite("it is decided before the database is asked")
def test_a_page_of_another_origin_may_read_and_not_write(api: Api, origin: str | None, passes: bool) -> None:
    here = told(api, origins=("https://app.example",))
    headers = {} if origin is None else {"Origin": origin}
    for method, path in WRITES:
        answer = here.client().open(path, method=method, json={}, headers=headers)
        assert answer.status_code in ((401, 422) if passes else (403,)), answer.text
        if not passes:
            assert "PUSHBACK_ORIGINS" in problem(answer, 403)["detail"]
    assert here.client().get("/health/live", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "address"), [(0, "192.0.2.1"), (1, "198.51.100.7"), (2, "203.0.113.9"), (3, "192.0.2.1")]
)
@pytest.mark.sqlite("it is decided before the database is asked")
def test_as_many_proxies_are_believed_as_there_are(api: Api, heard: Heard, proxies: int, address: str) -> None:
    here = told(api, proxies=proxies)
    headers = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "Authorization": "Bearer none"}
    here.client().get("/jobs", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.1"})
    (line,) = heard.lines(logs.ACCESS)
    assert line["address"] == address


@pytest.mark.sqlite("it is decided before the database is asked")
def test_behind_a_proxy_the_api_s_own_origin_is_the_one_that_browsers_see(api: Api) -> None:
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "pushback.example", "Origin": "https://pushback.example"}
    for proxies, status in ((0, 403), (1, 422)):
        answer = told(api, proxies=proxies).client().post("/sessions", json={}, headers=said)
        assert answer.status_code == status
