"""Every request has one line, an id that its caller knows too, and no secret anywhere."""

import base64
import logging
import re

import pytest
from sqlalchemy import text

from backend.api import request_log
from backend.monitoring import logs
from backend.store import sql
from tests.conftest import PASSWORD, Api
from tests.integration.heard import Heard

# As SQLite and as PostgreSQL say it.
NO_TABLE = re.compile('no such table|relation "\\w+" does not exist')


def test_a_line_says_who_asked_what_and_how_it_went(api: Api, heard: Heard) -> None:
    headers = api.bearer("operator")
    heard.forget()
    answer = api.client().get("/jobs/none-such?x=1", headers=headers)
    line = heard.one()
    assert (line["method"], line["rule"], line["status"]) == ("GET", "/jobs/<identity>", answer.status_code)
    assert line["account"] == "operator" and line["level"] == "INFO"
    assert 0 < line["milliseconds"] < 10_000
    assert line["request_id"] == answer.headers[request_log.HEADER]


def test_the_callers_own_id_is_kept_and_stands_in_every_line(api: Api, heard: Heard) -> None:
    with sql.writing(api.engine) as connection:
        connection.execute(text("DROP TABLE jobs"))
    headers = {**api.bearer("operator"), "X-Request-ID": "night-shift_7.1"}
    heard.forget()
    answer = api.client().get("/jobs", headers=headers)
    assert answer.headers["X-Request-ID"] == "night-shift_7.1"
    lines = heard.lines()
    assert len(lines) >= 2 and {line["request_id"] for line in lines} == {"night-shift_7.1"}
    assert any(NO_TABLE.search(line.get("exception", "")) for line in lines)


@pytest.mark.parametrize("sent", [None, "", "a b", "x" * 65, "é", '"}', "a%0d%0ab"], ids=repr)
def test_an_id_that_is_none_is_replaced(api: Api, heard: Heard, sent: str | None) -> None:
    headers = {} if sent is None else {"X-Request-ID": sent}
    answers = [api.client().get("/health/live", headers=headers) for _ in range(2)]
    first, second = (answer.headers["X-Request-ID"] for answer in answers)
    assert first != second and request_log.SANE.fullmatch(first)
    assert [line["request_id"] for line in heard.lines(logs.REQUESTS)] == [first, second]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("BREW", "/predict", 405), ("HEAD", "/health/live", 200)]
)
def test_what_matches_no_rule_has_its_line_too(api: Api, heard: Heard, method: str, path: str, status: int) -> None:
    api.client().open(path, method=method)
    line = heard.one()
    assert (line["method"], line["status"]) == (method, status)
    assert line["rule"] == (path if status == 200 else None)


def test_a_request_outlives_none_of_its_words(api: Api, heard: Heard) -> None:
    api.client().get("/health/live")
    logging.getLogger("pushback.test").info("later")
    assert "request_id" not in heard.lines("pushback.test")[0]


def test_no_secret_is_logged_whatever_is_sent_and_whatever_fails(api: Api, heard: Heard) -> None:
    client, token = api.client(), api.token("viewer")
    pair = base64.b64encode(f"viewer:{PASSWORD}".encode()).decode()
    session = client.post("/sessions", json={"username": "viewer", "password": PASSWORD}).get_json()["session"]
    ticket = "t1cketT1cketT1cket"

    def ask() -> None:
        for headers in (
            {"Authorization": f"Bearer {token}"},
            {"Authorization": f"Basic {pair}"},
            {"Authorization": f"Bearer {token}x"},
            {"Authorization": f"Digest {token}"},
            {"Cookie": f"pushback={session}"},
        ):
            client.get(f"/jobs?ticket={ticket}", headers=headers)
            client.get(f"/nowhere?ticket={ticket}", headers=headers)
        client.post("/token", data={"grant_type": "password", "username": "viewer", "password": PASSWORD})
        client.post("/token", data={"grant_type": PASSWORD, "username": PASSWORD, "password": PASSWORD})
        client.post("/sessions", json={"username": "viewer", "password": PASSWORD, "more": PASSWORD})
        client.post("/sessions", data=f'{{"password": "{PASSWORD}"', content_type="application/json")
        client.post("/sessions/token", json={"session": session})
        client.post(
            "/accounts", json={"username": "x", "password": PASSWORD}, headers={"Authorization": f"Basic {pair}"}
        )

    ask()
    with sql.writing(api.engine) as connection:
        connection.execute(text("DROP TABLE sessions"))
    ask()
    assert any(NO_TABLE.search(line.get("exception", "")) for line in heard.lines()), "nothing failed"
    for secret in (PASSWORD, token, pair, session, ticket, "argon2", token.rsplit(".", 1)[1]):
        assert secret not in heard.text
