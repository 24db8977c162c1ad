"""Every error is a problem details document that says what to do."""

import io
import logging
from typing import Any

import pytest
from sqlalchemy import text

from backend.store import sql
from tests.conftest import Api

PROBLEM = "application/problem+json"


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.content_type == PROBLEM
    body: dict[str, Any] = answer.get_json(force=True) if hasattr(answer, "get_json") else {}
    assert set(body) == {"type", "title", "status", "detail", "errors"}
    assert body["status"] == status and body["title"] and body["detail"]
    return body


def test_an_unknown_path_is_named(api: Api) -> None:
    assert "/nowhere" in problem(api.client().get("/nowhere"), 404)["detail"]


def test_a_wrong_method_gets_the_ones_that_are_right(api: Api) -> None:
    answer = api.client().put("/jobs")
    assert "GET" in problem(answer, 405)["detail"]
    assert "GET" in answer.headers["Allow"]


def test_json_that_is_none_gets_the_place_of_the_fault(api: Api) -> None:
    answer = api.client().post("/sessions", data='{"username": oops}', content_type="application/json")
    assert "line 1 column 14" in problem(answer, 400)["detail"]


def test_json_that_is_nested_too_deeply_is_refused(api: Api) -> None:
    answer = api.client().post("/sessions", data="[" * 200_000, content_type="application/json")
    problem(answer, 400)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_another_content_type_is_refused(api: Api, content_type: str | None) -> None:
    answer = api.client().post("/sessions", data='{"session": "x"}', content_type=content_type)
    assert "application/json" in problem(answer, 415)["detail"]


def test_the_token_call_takes_a_form_only(api: Api) -> None:
    problem(api.client().post("/token", json={"grant_type": "password"}), 415)


def test_a_missing_field_is_pointed_at(api: Api) -> None:
    body = problem(api.client().post("/sessions", json={"username": "viewer"}), 422)
    assert body["errors"] == [{"pointer": "/password", "reason": "field required"}]


def test_an_unknown_field_is_refused(api: Api) -> None:
    sent = {"username": "viewer", "password": "x", "remember": True}
    body = problem(api.client().post("/sessions", json=sent), 422)
    assert body["errors"] == [{"pointer": "/remember", "reason": "there is no such field"}]


def test_an_unknown_parameter_is_refused(api: Api) -> None:
    body = problem(api.client().get("/jobs?page=2", headers=api.bearer("viewer")), 422)
    assert body["errors"][0]["parameter"] == "page"


def test_a_body_that_is_no_object_is_refused(api: Api) -> None:
    bodies: list[Any] = [[], "text", 7, None]
    for sent in bodies:
        problem(api.client().post("/sessions", json=sent), 422)


def test_a_value_that_was_sent_is_never_sent_back(api: Api) -> None:
    answer = api.client().post("/sessions", json={"username": "viewer", "password": ["a secret"]})
    problem(answer, 422)
    assert "a secret" not in answer.text


def test_text_that_is_no_unicode_is_refused(api: Api) -> None:
    data = '{"username": "viewer", "password": "\\ud800"}'
    problem(api.client().post("/sessions", data=data, content_type="application/json"), 400)
    data = '{"username": "viewer", "password": "\\ud83d\\ude00"}'
    problem(api.client().post("/sessions", data=data, content_type="application/json"), 401)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_2_mib_is_refused(api: Api, chunked: bool) -> None:
    data = b'{"session": "' + b"x" * 2**21 + b'"}' + b" " * 2**21
    if chunked:
        environment = {"wsgi.input_terminated": True}
        answer = api.client().post(
            "/sessions/token",
            input_stream=io.BytesIO(data),
            content_type="application/json",
            environ_overrides=environment,
        )
    else:
        answer = api.client().post("/sessions/token", data=data, content_type="application/json")
    problem(answer, 413)


def test_a_database_that_cannot_be_used_is_not_a_fault_of_the_caller(api: Api) -> None:
    headers = api.bearer("viewer")
    with sql.writing(api.engine) as connection:
        connection.execute(text("DROP TABLE jobs"))
    answer = api.client().get("/jobs", headers=headers)
    assert "/health/ready" in problem(answer, 503)["detail"]
    assert answer.headers["Retry-After"]


def test_a_fault_of_ours_is_in_the_log_and_not_in_the_answer(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("deep inside")

    headers = api.bearer("viewer")
    monkeypatch.setattr("backend.store.jobs.listing", fail)
    with caplog.at_level(logging.ERROR):
        answer = api.client().get("/jobs", headers=headers)
    problem(answer, 500)
    assert "deep inside" not in answer.text and "Traceback" not in answer.text
    assert "deep inside" in caplog.text and "Traceback" in caplog.text


def test_answers_carry_the_headers_that_keep_browsers_from_harm(api: Api) -> None:
    for path in ("/health/live", "/nowhere", "/jobs"):
        headers = api.client().get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["Cache-Control"] == "no-store"


def test_head_and_options_are_answered(api: Api) -> None:
    assert api.client().head("/health/live").status_code == 200
    assert api.client().head("/jobs").status_code == 401
    assert "POST" in api.client().options("/training").headers["Allow"]


def test_a_refused_request_leaves_nothing_of_its_body_on_the_connection(api: Api) -> None:
    body = io.BytesIO(b'{"flights": []}')
    answer = api.client().post("/predict", input_stream=body, content_length=15, content_type="application/json")
    problem(answer, 401)
    assert body.tell() == 15
