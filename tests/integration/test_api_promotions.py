"""A person promotes and rolls back over the API; what is refused changes nothing; all of it is read in the ledger."""

from pathlib import Path
from typing import Any

import pytest

from backend.store import jobs
from tests.conftest import World
from tests.integration import versions
from tests.integration.served import Served, problem

WHY = {"reason": "Newark's risks are too high"}


@pytest.fixture(name="served")
def make_served(world_copy: World, password_hash: str) -> Served:
    """The API over a copy of the small world, in which version 1 serves and 2 and 3 were trained."""
    versions.add(world_copy, 2)
    versions.add(world_copy, 3)
    return as_operator(world_copy, password_hash)


def as_operator(world: World, password_hash: str) -> Served:
    """A new process of the API, asked by an operator."""
    served = Served.over(world, password_hash)
    served.headers.update(served.bearer("operator"))
    return served


def post(served: Served, path: str, body: Any = None) -> Any:
    return served.client.post(path, json=WHY if body is None else body, headers=served.headers)


def roles(served: Served) -> dict[str, str | None]:
    return {version["version"]: version["role"] for version in served.get("/models").get_json()["items"]}


def ledger(served: Served, query: str = "") -> list[dict[str, Any]]:
    answer = served.get(f"/decisions{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.get_json()["items"]
    return items


def test_a_promotion_serves_at_once_and_a_rollback_takes_it_back(served: Served) -> None:
    assert roles(served) == {"1": "champion", "2": None, "3": "challenger"}
    asked = served.coming()[:3]
    before = served.predict([{"id": flight["id"]} for flight in asked])
    answer = post(served, "/models/2/promote")
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["version"] == "2" and answer.get_json()["until"] is None
    after = served.predict([{"id": flight["id"]} for flight in asked], as_of="2013-04-01T03:00:00Z")
    assert {one["model_version"] for one in before} == {"1"} and {one["model_version"] for one in after} == {"2"}
    assert roles(served) == {"1": "previous", "2": "champion", "3": "challenger"}
    assert post(served, "/models/3/promote").status_code == 200
    assert roles(served) == {"1": None, "2": "previous", "3": "champion"}
    assert post(served, "/models/rollback").get_json()["version"] == "2"
    assert roles(served) == {"1": "previous", "2": "champion", "3": None}
    assert post(served, "/models/rollback").get_json()["version"] == "1", "a second rollback goes further back"
    detail = problem(post(served, "/models/rollback"), 409)["detail"]
    assert "no version to go back to" in detail and versions.serving(served.world) == 1


def test_the_ledger_says_who_why_and_from_what(served: Served) -> None:
    post(served, "/models/2/promote")
    post(served, "/models/rollback", {"reason": "  it was worse at night  "})
    back, there, *_ = ledger(served)
    assert (back["kind"], there["kind"], back["actor"], there["actor"]) == (
        "rolled_back",
        "promoted",
        "operator",
        "operator",
    )
    assert there["summary"] == "operator promoted version 2 in place of version 1: Newark's risks are too high"
    assert back["summary"] == "operator rolled back from version 2 to version 1: it was worse at night"
    assert (back["evidence"]["version"], back["evidence"]["replaces"]) == (1, 2)
    trained = served.get("/models/2").get_json()
    assert there["evidence"]["data_digest"] == trained["data_digest"]
    assert there["evidence"]["commit"] == trained["commit"] and len(there["evidence"]["bundle_sha256"]) == 64
    kept = jobs.listing(served.engine)[0]
    assert [job["kind"] for job in kept] == ["mirror", "mirror"], "MLflow's aliases follow each"


def test_which_version_served_at_a_time(served: Served) -> None:
    post(served, "/models/2/promote")
    newest, first = served.get("/deployments").get_json()["items"]
    assert (newest["version"], newest["until"], first["version"]) == ("2", None, "1")
    assert first["until"] == newest["since"] and newest["decision"]["actor"] == "operator"
    at = served.get("/deployments?clock=wall&at=2026-11-23T12:00:00Z").get_json()["items"]
    assert [one["version"] for one in at] == ["2"]
    assert served.get("/deployments?clock=wall&at=2013-04-01T00:00:00Z").get_json()["items"] == []
    by_data = served.get(f"/deployments?at={first['data_since']}").get_json()["items"]
    assert [one["version"] for one in by_data] == ["2"], "both at the same data time: the newest"
    problem(served.get("/deployments?at=2013-04-01T00:00:00"), 422)


def test_a_version_that_cannot_serve_is_refused_and_nothing_changes(served: Served) -> None:
    versions.add(served.world, 4, feature_list="0")
    (Path(served.world.settings.blobs) / versions.add(served.world, 5)).unlink()
    versions.damage(served.world, "bundles/2.zip")
    before = ledger(served)
    for version, words in (("2", "damaged"), ("4", "features (list 0) are not this program's"), ("5", "missing")):
        assert words in problem(post(served, f"/models/{version}/promote"), 409)["detail"]
    assert versions.serving(served.world) == 1 and ledger(served) == before and not jobs.listing(served.engine)[0]
    versions.damage(served.world, "bundles/2.zip")
    assert post(served, "/models/2/promote").status_code == 200, "once repaired it may serve"


def test_what_makes_no_sense_is_refused(served: Served) -> None:
    assert "champion already" in problem(post(served, "/models/1/promote"), 409)["detail"]
    assert "no version to go back to" in problem(post(served, "/models/rollback"), 409)["detail"]
    for version in ("6", "x", "0", str(10**30)):
        problem(post(served, f"/models/{version}/promote"), 404)
    for body in ({}, {"reason": ""}, {"reason": "  "}, {"reason": "r" * 501}, {"reason": 7}, {"reason": "r", "x": 1}):
        for path in ("/models/2/promote", "/models/rollback"):
            problem(post(served, path, body), 422)
    viewer = served.bearer("viewer")
    for path in ("/models/2/promote", "/models/rollback"):
        problem(served.client.post(path, json=WHY, headers=viewer), 403)
        problem(served.client.post(path, json=WHY), 401)
    assert versions.serving(served.world) == 1


def test_a_second_click_does_not_go_back_twice(served: Served) -> None:
    post(served, "/models/2/promote")
    post(served, "/models/3/promote")
    click = WHY | {"instead_of": 3}
    assert post(served, "/models/rollback", click).status_code == 200
    assert "version 2 is" in problem(post(served, "/models/rollback", click), 409)["detail"]
    assert "version 2 is" in problem(post(served, "/models/1/promote", click), 409)["detail"]
    assert versions.serving(served.world) == 2


def test_the_champion_is_the_version_that_answers_while_a_newer_one_cannot(served: Served, password_hash: str) -> None:
    post(served, "/models/2/promote")
    versions.damage(served.world, "bundles/2.zip")
    fresh = as_operator(served.world, password_hash)
    assert roles(fresh) == {"1": "champion", "2": None, "3": "challenger"}
    champion = fresh.get("/status").get_json()["champion"]
    assert (champion["version"], champion["role"]) == ("1", "champion")
    assert post(fresh, "/models/rollback").get_json()["version"] == "1"
    assert roles(fresh) == {"1": "champion", "2": None, "3": "challenger"}


def test_the_ledger_is_read_in_pages_by_kind_and_by_time(served: Served) -> None:
    for _ in range(2):
        post(served, "/models/2/promote")
        post(served, "/models/rollback")
    whole = ledger(served)
    pages, path = [], "/decisions?limit=3"
    while path:
        page = served.get(path).get_json()
        pages += page["items"]
        path = page["next"] and f"/decisions?limit=3&cursor={page['next']}"
    assert pages == whole and len({one["id"] for one in whole}) == len(whole) == 8
    assert {one["kind"] for one in ledger(served, "?kind=promoted")} == {"promoted"}
    assert ledger(served, "?kind=nonsense") == []
    noon = [one["kind"] for one in ledger(served, "?clock=wall&from=2026-11-23T12:00:00Z&until=2026-11-23T12:00:01Z")]
    assert noon == ["rolled_back", "promoted"] * 2
    assert ledger(served, "?from=2013-04-01T04:00:01Z") == [], "by the data clock"
    for query in ("limit=0", "cursor=x", "from=yesterday", "clock=sun", f"cursor={10**30}"):
        problem(served.get(f"/decisions?{query}"), 422)
    problem(served.client.get("/decisions"), 401)


def test_one_decision_is_shown_whole(served: Served) -> None:
    trained = next(one for one in ledger(served, "?kind=trained") if one["evidence"]["version"] == 1)
    assert "roc" not in trained["evidence"]
    whole = served.get(f"/decisions/{trained['id']}").get_json()
    assert whole["evidence"]["roc"] and whole["summary"] == trained["summary"]
    for identity in ("0", "99", str(10**30)):
        problem(served.get(f"/decisions/{identity}"), 404)
