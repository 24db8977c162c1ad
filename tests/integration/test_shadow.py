"""A challenger that was kept scores live requests too: both predictions are logged, the champion's is answered."""

from typing import Any

import pytest
from sqlalchemy import select

from backend.model import bundle, registry
from backend.store import deployments, ledger, sql
from backend.store.blobs import Blobs
from tests.conftest import World
from tests.integration.served import Served
from tests.integration.versions import saying


def asked(served: Served, place: int) -> list[dict[str, Any]]:
    return [{"id": served.coming()[place]["id"]}]


def train(world: World, version: int, damaged: bool = False, **changes: Any) -> dict[str, Any]:
    """A trained version: the first one's trees, with a calibration of its own unless `changes` say another."""
    blobs = Blobs(world.settings.blobs)
    name = f"bundles/{version}.zip"
    with sql.writing(sql.open_engine(world.settings.database_url)) as connection:
        first = ledger.training_of(connection, 1)
        assert first is not None
        content = saying(
            blobs.read(first["bundle"]),
            version=version,
            **{"calibration": {"slope": 0.5, "intercept": version}} | changes,
        )
        trained = first | {"version": version, "bundle": name, "bundle_sha256": bundle.sha256(content)}
        ledger.decide(connection, "trained", 1, 1, "tests", "trained", trained)
    blobs.write(name, content[:-9] if damaged else content)
    return trained


def compare(world: World, version: int, verdict: str = "keep") -> None:
    """Writes what the comparison of that version with the champion said."""
    with sql.writing(sql.open_engine(world.settings.database_url)) as connection:
        ledger.decide(connection, "compared", 1, 1, "tests", "compared", {"version": version, "verdict": verdict})


def logged(served: Served) -> Any:
    """The newest row of the log."""
    with served.engine.connect() as connection:
        return connection.execute(select(sql.predictions).order_by(sql.predictions.c.id.desc()).limit(1)).one()


def ready(served: Served) -> tuple[str, list[str]]:
    said = served.client.get("/health/ready").get_json()
    return said["status"], said["missing"]


@pytest.fixture(name="own")
def make_own(world_copy: World, password_hash: str) -> Served:
    """A process over a world of its own."""
    return Served.over(world_copy, password_hash)


@pytest.mark.parametrize("verdict", ["keep", "not_enough_evidence"])
def test_a_kept_challenger_s_prediction_is_logged_beside_the_answer(own: Served, verdict: str) -> None:
    assert own.predict(asked(own, 0)) and logged(own).shadow_version is None
    train(own.world, 2)
    assert own.predict(asked(own, 1)) and logged(own).shadow_version is None
    compare(own.world, 2, verdict)
    answer = own.predict(asked(own, 2))[0]
    row = logged(own)
    assert (row.version, row.shadow_version) == (1, 2)
    assert answer["probability"] == row.probability != row.shadow_probability
    assert answer["model_version"] == "1" and "shadow" not in str(answer)
    assert ready(own) == ("ok", [])


def test_the_newest_challenger_runs_in_the_shadow_until_another_version_serves(own: Served) -> None:
    train(own.world, 2)
    compare(own.world, 2)
    trained = train(own.world, 3)
    compare(own.world, 3)
    assert own.predict(asked(own, 0)) and logged(own).shadow_version == 3
    with sql.writing(own.engine) as connection:
        registry.promote(connection, Blobs(own.world.settings.blobs), trained, "tests", "for this test", 1, None)
    assert own.predict(asked(own, 1)) and (logged(own).version, logged(own).shadow_version) == (3, None)
    train(own.world, 4)
    compare(own.world, 4)
    assert own.predict(asked(own, 2)) and (logged(own).version, logged(own).shadow_version) == (3, 4)
    with sql.writing(own.engine) as connection:
        registry.roll_back(connection, Blobs(own.world.settings.blobs), "tests", "for this test", 1, None)
    assert own.predict(asked(own, 3)) and (logged(own).version, logged(own).shadow_version) == (1, None)


def test_a_challenger_that_cannot_be_loaded_leaves_the_shadow_to_the_one_before(own: Served) -> None:
    train(own.world, 2)
    compare(own.world, 2)
    train(own.world, 3, damaged=True)
    compare(own.world, 3)
    assert own.predict(asked(own, 0)) and (logged(own).version, logged(own).shadow_version) == (1, 2)
    status, missing = ready(own)
    assert status == "degraded" and "Version 3 cannot run in the shadow" in missing[0] and "damaged" in missing[0]


def test_a_challenger_that_fails_while_it_scores_hurts_no_answer(own: Served) -> None:
    before = own.predict(asked(own, 0))
    carrier = before[0]["carrier"]
    train(own.world, 2, encoder={"mean": 0.2, "rates": {"carrier": {carrier: "often"}}})
    compare(own.world, 2)
    assert own.by("analyst").predict(asked(own, 0)) == before
    assert logged(own).shadow_version is None
    status, missing = ready(own)
    assert status == "degraded" and "Version 2 failed in the shadow" in missing[0]


@pytest.mark.parametrize("number", [None, float("nan")])
def test_a_challenger_that_makes_no_probability_does_not_run_at_all(own: Served, number: float | None) -> None:
    train(own.world, 2, calibration={"slope": number, "intercept": 0.0})
    compare(own.world, 2)
    assert own.predict(asked(own, 0)) and logged(own).shadow_version is None
    status, missing = ready(own)
    assert status == "degraded" and "Version 2 cannot run in the shadow" in missing[0]


def test_what_is_promoted_runs_in_no_shadow(own: Served) -> None:
    trained = train(own.world, 2)
    with sql.writing(own.engine) as connection:
        ledger.decide(connection, "compared", 1, 1, "tests", "better", {"version": 2, "verdict": "promote"})
        registry.place(connection, trained, "promoted", "tests", "better", {}, 1)
        assert len(deployments.standing(connection)) == 2
    assert own.predict(asked(own, 0)) and (logged(own).version, logged(own).shadow_version) == (2, None)
