"""A deployed bundle that this program cannot use takes nothing down: the old one goes on, and readiness says why."""

from typing import Any

import pytest

from backend.model import registry
from backend.store import ledger, sql
from backend.store.blobs import Blobs
from tests.conftest import World
from tests.integration import versions
from tests.integration.served import Served, problem


def deploy(world: World, version: int) -> None:
    """Let that version serve as if this program had been older when it was promoted."""
    with sql.writing(sql.open_engine(world.settings.database_url)) as connection:
        trained = ledger.training_of(connection, version)
        assert trained is not None
        registry.place(connection, trained, "promoted", "tests", "by an older program", {}, 1)


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"feature_list": "1", "features": ["carrier"]}, "the bundle's features (list 1) are not this program's"),
        ({"format": 3}, "the bundle has format 3, this program reads 1 and 2"),
        ({"calibration": {"slope": float("nan"), "intercept": 0.0}}, "no probability"),
    ],
)
def test_a_bundle_that_cannot_be_used_leaves_the_answer_to_the_one_before(
    world_copy: World, password_hash: str, about: dict[str, Any], why: str
) -> None:
    running = Served.over(world_copy, password_hash)
    asked = [{"id": flight["id"]} for flight in running.coming()[:3]]
    before = running.predict(asked)
    versions.add(world_copy, 2, **about)
    refused = running.client.post("/models/2/promote", json={"reason": "to try"}, headers=running.bearer("operator"))
    assert why in problem(refused, 409)["detail"]
    deploy(world_copy, 2)
    for served in (running.by("analyst"), Served.over(world_copy, password_hash).by("operator")):
        assert served.predict(asked) == before
        said = served.client.get("/health/ready").get_json()
        assert said["status"] == "degraded" and "Version 2 cannot be loaded" in said["missing"][0]
        assert why in said["missing"][0]


def test_a_bundle_of_the_format_before_is_promoted_and_answers(world_copy: World, password_hash: str) -> None:
    running = Served.over(world_copy, password_hash)
    asked = [{"id": flight["id"]} for flight in running.coming()[:3]]
    before = running.predict(asked)
    blobs = Blobs(world_copy.settings.blobs)
    versions.replace(world_copy, 2, versions.as_format_1(blobs.read(versions.add(world_copy, 2))))
    promoted = running.client.post("/models/2/promote", json={"reason": "to try"}, headers=running.bearer("operator"))
    assert promoted.status_code == 200, promoted.text
    after = running.by("analyst").predict(asked)
    assert {answer["model_version"] for answer in after} == {"2"}
    assert [answer["probability"] for answer in after] == [answer["probability"] for answer in before]
    assert running.client.get("/health/ready").get_json() == {"status": "ok", "missing": []}
