"""The log of predictions to read: filtered, paged, as CSV, and beside what happened."""

import csv
import io
from datetime import datetime
from typing import Any

import pytest

from backend import clock
from backend.flights import events
from backend.store import events as log
from backend.store import sql
from tests.conftest import World
from tests.integration.served import Served, problem


@pytest.fixture(name="own")
def make_own(world_copy: World, password_hash: str) -> Served:
    """A process over a world of its own, in which an analyst has asked about four flights."""
    served = Served.over(world_copy, password_hash).by("analyst")
    served.predict([{"id": flight["id"]} for flight in served.coming()[:4]])
    return served


def read(served: Served, query: str = "") -> Any:
    answer = served.get(f"/predictions{query}")
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def test_what_was_answered_stands_in_the_log_newest_first(own: Served) -> None:
    asked = [flight["id"] for flight in own.coming()[:4]]
    again = own.predict([{"id": name} for name in asked])
    items = read(own)["items"]
    assert [item["flight"] for item in items] == sorted(asked, reverse=True)
    assert {item["flight"]: item["probability"] for item in items} == {one["id"]: one["probability"] for one in again}
    assert {(item["model_version"], item["past"], item["outcome"]) for item in items} == {("1", False, None)}
    assert all(0 <= item["lead_time_minutes"] <= 24 * 60 for item in items)


def test_pages_follow_each_other_without_a_gap(own: Served) -> None:
    whole, found, page = read(own)["items"], [], read(own, "?limit=3")
    while True:
        found += page["items"]
        if page["next"] is None:
            break
        page = read(own, f"?limit=3&cursor={page['next']}")
    assert found == whole and len(found) == 4


def test_only_what_is_asked_for_is_listed(own: Served) -> None:
    one = read(own)["items"][0]
    assert [item["id"] for item in read(own, f"?flight={one['flight']}")["items"]] == [one["id"]]
    assert read(own, "?version=2")["items"] == []
    assert len(read(own, f"?from={one['as_of']}")["items"]) == 4
    assert read(own, f"?until={one['as_of']}")["items"] == []


def test_an_outcome_stands_beside_its_prediction_once_it_is_recorded(own: Served) -> None:
    late, gone = (item["flight"] for item in read(own, "?limit=2")["items"])
    flights = {flight["id"]: flight for flight in own.coming()}
    arrival, departure = (
        clock.to_epoch(datetime.fromisoformat(flights[name][field]))
        for name, field in ((late, "scheduled_arrival"), (gone, "scheduled_departure"))
    )
    with sql.writing(own.engine) as connection:
        log.append(connection, [events.arrived(late, arrival + 1200, 20), events.cancelled(gone, departure, departure)])
    items = {item["flight"]: item for item in read(own)["items"]}
    assert [items[late][name] for name in ("outcome", "arrival_delay_minutes", "disrupted")] == ["arrived", 20, True]
    assert [items[gone][name] for name in ("outcome", "arrival_delay_minutes", "disrupted")] == [
        "cancelled",
        None,
        True,
    ]


def test_as_csv_it_is_the_same(own: Served) -> None:
    answer = own.get("/predictions?format=csv&limit=3")
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["flight"] for row in rows] == [item["flight"] for item in read(own, "?limit=3")["items"]]
    assert answer.headers["X-Next-Cursor"] == read(own, "?limit=3")["next"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_a_viewer_may_not_read_what_others_were_told(own: Served) -> None:
    problem(own.by("viewer").get("/predictions"), 403)
    problem(own.get("/predictions?limit=0"), 422)
    problem(own.get("/predictions?of=all"), 422)
