"""Pages of a list: each row once and in order, on both databases, whatever is added meanwhile."""

import base64
import json

import pytest
from sqlalchemy import Engine

from backend.store import board, deployments, jobs, ledger, pages, policies, predictions
from backend.store.pages import CursorError, Page


def walked(queue: Engine, sort: str, limit: int, meanwhile: int | None = None) -> list[tuple[int, str]]:
    """(created_at, id) of all jobs, page by page; `meanwhile` a job with that time is added after each page."""
    seen: list[tuple[int, str]] = []
    cursor: str | None = None
    while True:
        found, cursor = jobs.listing(queue, page=Page(sort, limit, cursor))
        seen += [(job["created_at"], job["id"]) for job in found]
        if cursor is None:
            return seen
        if meanwhile is not None:
            jobs.enqueue(queue, "batch", {}, "later", meanwhile)


@pytest.fixture(name="ten")
def make_ten(queue: Engine) -> list[tuple[int, str]]:
    """Ten jobs of which some were made at the same time, in order."""
    return sorted((number // 3, jobs.enqueue(queue, "batch", {}, "first", number // 3)["id"]) for number in range(10))


@pytest.mark.parametrize("limit", [1, 3, 10, 11])
def test_pages_hold_each_row_once_in_either_order(queue: Engine, ten: list[tuple[int, str]], limit: int) -> None:
    assert walked(queue, "created_at", limit) == ten
    assert walked(queue, "-created_at", limit) == ten[::-1]


def test_what_is_added_meanwhile_moves_nothing(queue: Engine, ten: list[tuple[int, str]]) -> None:
    assert walked(queue, "-created_at", 2, meanwhile=99) == ten[::-1]


def test_what_is_added_behind_is_still_found(queue: Engine, ten: list[tuple[int, str]]) -> None:
    jobs_seen = walked(queue, "-created_at", 6, meanwhile=-1)
    assert jobs_seen[:10] == ten[::-1] and [at for at, _ in jobs_seen[10:]] == [-1]


ROWS = [{"name": name} for name in "ebdac"]


def test_a_list_in_memory_is_cut_in_the_same_way() -> None:
    for sort, order in (("name", "abcde"), ("-name", "edcba")):
        seen, cursor = "", None
        while True:
            found, cursor = pages.cut_list(ROWS, "letters", "name", Page(sort, 2, cursor))
            seen += "".join(row["name"] for row in found)
            if cursor is None:
                break
        assert seen == order


def test_a_cursor_that_was_touched_is_none() -> None:
    _, cursor = pages.cut_list(ROWS, "letters", "name", Page("name", 2))
    assert cursor is not None
    spoilt = [
        cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :] for place in range(len(cursor))
    ]
    spoilt += [cursor[:-1], cursor + "A", cursor + "=", cursor + "\n", cursor + "é", "", "x", "A" * 400]
    for text in spoilt:
        with pytest.raises(CursorError):
            pages.cut_list(ROWS, "letters", "name", Page("name", 2, text))


def test_a_cursor_of_another_list_or_another_order_is_none() -> None:
    _, cursor = pages.cut_list(ROWS, "letters", "name", Page("name", 2))
    for name, sort in (("numbers", "name"), ("letters", "-name")):
        with pytest.raises(CursorError):
            pages.cut_list(ROWS, name, "name", Page(sort, 2, cursor))


@pytest.mark.parametrize("forged", [[1], ["x", "y"], [None], [True], [{}], [10**400], [], "x", {"a": 1}, ["\0"]])
def test_a_forged_cursor_never_reaches_the_database(queue: Engine, forged: object) -> None:
    values = forged if isinstance(forged, list) else [forged]
    said = json.dumps(["created_at", *values], separators=(",", ":")).encode()
    digest = pages._digest("jobs", said)  # pylint: disable=protected-access
    text = base64.urlsafe_b64encode(digest + said).decode().rstrip("=")
    with pytest.raises(CursorError):
        jobs.listing(queue, page=Page("created_at", 2, text))


def test_no_list_is_sorted_by_what_may_be_null() -> None:
    """A NULL compares with nothing: rows that have one would be lost after the first page."""
    for order in (board.ORDER, deployments.ORDER, ledger.ORDER, policies.ORDER, predictions.ORDER, jobs.ORDER):
        for name, column in order.fields.items():
            nullable = getattr(column, "nullable", False)
            assert not nullable, f"{order.name} may be sorted by {name}, which may be NULL"
