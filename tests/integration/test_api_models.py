"""GET /models: the versions with their figures."""

import json

import pytest
from sqlalchemy import insert

from backend.model.dataset import DRAWS
from backend.store import ledger, sql
from tests.conftest import World
from tests.integration.served import Served, problem
from ui.answers import CalibrationBin, LeadMetrics, Metrics, Version, Window


def test_the_champion_is_listed_with_every_field_that_the_app_shows(served: Served) -> None:
    answer = served.get("/models/")
    body = json.loads(answer.text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    assert body["next"] is None and len(body["items"]) == 1
    version = body["items"][0]
    assert (version["version"], version["role"]) == ("1", "champion")
    for shape, part in (
        (Version, version),
        (Metrics, version["metrics"]),
        (Metrics, version["baseline"]),
        (Window, version["evaluated_on"]),
        (LeadMetrics, version["by_lead"][0]),
        (CalibrationBin, version["calibration"][0]),
    ):
        assert set(shape.__annotations__) <= set(part)
    assert version["metrics"]["auc"] > version["baseline"]["auc"] > 0.5
    assert version["rows"] == DRAWS * version["flights"] > 5000
    assert served.get("/models/1").get_json() == version


@pytest.mark.parametrize("path", ["/models/2", "/models/0", "/models/x", "/models/-1", f"/models/{10**30}"])
def test_a_version_that_was_never_trained_is_not_found(served: Served, path: str) -> None:
    problem(served.get(path), 404)


@pytest.mark.parametrize("query", ["cursor=x", "cursor=-1", f"cursor={10**30}", "limit=0", "limit=101", "limit=x"])
def test_a_page_that_is_none_is_refused(served: Served, query: str) -> None:
    problem(served.get(f"/models?{query}"), 422)


def test_it_takes_a_login(served: Served) -> None:
    problem(served.client.get("/models"), 401)
    assert served.client.head("/models", headers=served.headers).data == b""


def test_pages_hold_each_version_once_newest_first(world_copy: World, password_hash: str) -> None:
    served = Served.over(world_copy, password_hash)
    with sql.writing(served.engine) as connection:
        first = ledger.training_of(connection, 1)
        assert first is not None
        for number in range(2, 8):
            row = {"kind": "trained", "at": 1, "actor": "tests", "summary": "again"}
            connection.execute(insert(sql.decisions).values(**row, evidence=first | {"version": number}))
    seen: list[tuple[str, str | None]] = []
    path = "/models?limit=3"
    while path:
        page = served.get(path).get_json()
        seen += [(version["version"], version["role"]) for version in page["items"]]
        path = page["next"] and f"/models?limit=3&cursor={page['next']}"
    between = [(str(number), None) for number in range(6, 1, -1)]
    assert seen == [("7", "challenger"), *between, ("1", "champion")]
