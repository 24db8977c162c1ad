"""The app's client: what it makes of the API's errors, and of an API that is not there."""

import socket

import pytest

from ui.client import ApiError, Client, problem


def test_a_problem_is_told_with_its_detail_and_every_reason() -> None:
    error = problem(
        422,
        {
            "type": "about:blank",
            "title": "Flight has left",
            "status": 422,
            "detail": "UA 1545 left at 2013-04-01T09:15:00Z",
            "errors": [
                {
                    "pointer": "/flights/0/scheduled_departure",
                    "reason": "before the data clock",
                    "accepted": "2013-04-01T10:00:00Z or later",
                }
            ],
        },
    )
    assert (error.title, error.status) == ("Flight has left", 422)
    assert error.sentence == (
        "UA 1545 left at 2013-04-01T09:15:00Z. "
        "scheduled departure: before the data clock (accepted: 2013-04-01T10:00:00Z or later)."
    )


def test_a_list_of_what_is_accepted_is_told_as_words() -> None:
    error = problem(
        422, {"detail": "No.", "errors": [{"parameter": "origin", "reason": "x", "accepted": ["EWR", "JFK"]}]}
    )
    assert error.sentence == "No. origin: x (accepted: EWR, JFK)."


def test_a_reason_that_the_detail_has_said_is_not_repeated() -> None:
    error = problem(422, {"detail": "The airport is unknown.", "errors": [{"reason": "The airport is unknown"}]})
    assert error.sentence == "The airport is unknown."


@pytest.mark.parametrize("body", [None, "<html>", ["x"]])
def test_an_error_that_is_no_problem_still_gets_a_sentence(body: object) -> None:
    assert problem(502, body).sentence == "The API answered 502 without saying why. Its log has the reason."


def test_an_api_that_is_not_there_is_told_with_its_address() -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}"
        with pytest.raises(ApiError) as caught:
            Client(url, timeout_seconds=2).status()
    assert caught.value.status is None
    assert caught.value.sentence == f"Nothing answers at {url}."


def test_an_api_that_hangs_is_given_up_after_the_time_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ApiError) as caught:
        Client(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.2).status()
    assert caught.value.title == "The API is slow"
