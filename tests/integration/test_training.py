"""What a training leaves behind: the run in MLflow, the version, the bundle; and what it does not touch."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from mlflow import MlflowClient
from sqlalchemy import func, select, text

from backend.model import bundle, dataset, snapshot, tracking, train
from backend.model.bundle import Bundle
from backend.model.tracking import TrackingError
from backend.settings import Settings
from backend.store import deployments, ledger, sql
from backend.store import events as log
from backend.store.blobs import Blobs
from jobs import training
from tests.conftest import Facts, World
from tests.integration import rivals


def client_of(settings: Settings) -> MlflowClient:
    return MlflowClient(tracking_uri=settings.mlflow_uri, registry_uri=settings.mlflow_uri)


def run_of(settings: Settings, version: str) -> Any:
    client = client_of(settings)
    return client.get_run(client.get_model_version(tracking.MODEL, version).run_id)


def champion(settings: Settings) -> Bundle:
    with sql.open_engine(settings.database_url).connect() as connection:
        deployed = deployments.current(connection)
    assert deployed is not None
    return bundle.load(Blobs(settings.blobs).read(deployed.bundle), deployed.bundle_sha256)


def deployed_rows(settings: Settings) -> int:
    with sql.open_engine(settings.database_url).connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(sql.deployments)) or 0)


def model_files(settings: Settings) -> list[Path]:
    return [path for path in (settings.home / "mlflow" / "artifacts").rglob("*") if path.is_file()]


def model_text(settings: Settings) -> Path:
    source = client_of(settings).get_model_version(tracking.MODEL, "1").source
    (model,) = [
        path for path in model_files(settings) if path.name == "model.lgb" and source.split("/")[-1] in str(path)
    ]
    return model


def test_the_run_says_what_was_learned_from_what_and_how_well(world: World) -> None:
    said = run_of(world.settings, "1").data
    metadata = champion(world.settings).metadata
    assert {"learning_rate", "num_iterations", "seed", "data_until", "calibration_slope"} <= set(said.params)
    assert said.metrics["auc_2h"] == pytest.approx(metadata["metrics"]["auc"])
    assert said.metrics["baseline_brier_2h"] == pytest.approx(metadata["baseline"]["brier"])
    assert {f"auc_{lead}h" for lead in snapshot.LEADS_HOURS} <= set(said.metrics)
    assert said.tags["data_digest"] == metadata["data_digest"] and len(metadata["data_digest"]) == 64
    assert said.tags["commit"] == metadata["commit"]
    (data,) = run_of(world.settings, "1").inputs.dataset_inputs
    assert data.dataset.digest == metadata["data_digest"][:36]


def test_the_curves_are_files_of_the_run(world: World) -> None:
    run = run_of(world.settings, "1")
    names = {file.path for file in client_of(world.settings).list_artifacts(run.info.run_id)}
    assert {"calibration.json", "roc.json", "by_lead.json", "features.json"} <= names
    curves = {path.name: path for path in model_files(world.settings)}
    text = curves["roc.json"].read_text(encoding="utf-8")
    assert "points" in text and len(text) > 100


def test_version_1_is_registered_and_is_the_champion(world: World) -> None:
    named = client_of(world.settings).get_model_version_by_alias(tracking.MODEL, "champion")
    assert int(named.version) == 1 == champion(world.settings).version
    assert deployed_rows(world.settings) == 1


def test_the_model_is_text_and_nothing_is_a_pickle(world: World) -> None:
    files = model_files(world.settings)
    assert not [path for path in files if path.suffix in {".pkl", ".pickle", ".joblib", ".cloudpickle"}]
    # A pickle of protocol 2 or newer opens with this byte, whatever its file is called.
    assert not [path for path in files if path.read_bytes()[:1] == b"\x80"]
    model = model_text(world.settings)
    assert model.read_text().startswith("tree\nversion=")


def test_the_bundle_answers_exactly_as_the_model_in_mlflow(world: World) -> None:
    with sql.open_engine(world.settings.database_url).connect() as connection:
        here = dataset.load(connection, world.until)
    rows = dataset.rows_at(here, here.labelled(world.until)[-300:], 2 * 3600)
    serves = champion(world.settings)
    model = model_text(world.settings)
    trees = lightgbm.Booster(model_file=model)
    raw = np.asarray(trees.predict(serves.encoder.encode(rows), raw_score=True))
    expected = serves.calibration.apply(raw, np.full(len(rows), 2 / 24))
    assert np.ptp(expected) > 0.5
    np.testing.assert_allclose(serves.log_odds(rows), expected, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_a_second_training_replaces_nothing_and_names_the_same_data_alike(world_copy: World) -> None:
    settings = world_copy.settings
    first = champion(settings)
    result = training.run(settings, {"actor": "tests"}, lambda *_: None, lambda _: None)
    assert (result["version"], result["promoted"]) == (2, False)
    assert deployed_rows(settings) == 1 and champion(settings).version == first.version
    with sql.open_engine(settings.database_url).connect() as connection:
        said = ledger.training_of(connection, 2)
    assert said is not None and said["data_digest"] == first.metadata["data_digest"]
    assert result["verdict"] == "not_enough_evidence" and "new to both" in result["sentence"]
    client = client_of(settings)
    assert int(client.get_model_version_by_alias(tracking.MODEL, "champion").version) == 1
    assert int(client.get_model_version_by_alias(tracking.MODEL, "challenger").version) == 2


def test_too_few_facts_end_in_a_sentence_and_deploy_nothing(world: World, home: Settings) -> None:
    with pytest.raises(ValueError, match=r"no facts yet: run python -m jobs\.ingest"):
        training.run(home, {}, lambda *_: None, lambda _: None)
    engine = sql.open_engine(home.database_url)
    with sql.writing(engine) as connection:
        log.move_clock(connection, world.until)
    with pytest.raises(ValueError, match=r"only 0 flights to learn from have a final label at .*at least 500"):
        training.run(home, {}, lambda *_: None, lambda _: None)
    assert deployed_rows(home) == 0


@pytest.mark.parametrize(("fewest_flights", "reason"), [(500, "only 283 flights"), (200, "are of 3 days")])
def test_a_training_that_cannot_be_is_in_the_ledger_with_its_reason_and_the_champion_goes_on(
    world_copy: World, monkeypatch: pytest.MonkeyPatch, fewest_flights: int, reason: str
) -> None:
    monkeypatch.setattr(train, "FEWEST_FLIGHTS", fewest_flights)
    settings, before = world_copy.settings, champion(world_copy.settings).version
    early = {"until": "2013-02-20T05:00:00Z", "actor": "tests", "job": "a job"}
    with pytest.raises(ValueError, match=reason):
        training.run(settings, early, lambda *_: None, lambda _: None)
    (row,) = rivals.decisions(settings, "failed")
    assert (row.actor, row.evidence["until"], row.evidence["job"]) == ("tests", early["until"], "a job")
    assert reason in row.summary
    assert champion(settings).version == before


def only_where(settings: Settings, condition: str) -> None:
    """Takes away the schedules of the other flights, without which nothing of them is known."""
    with sql.writing(sql.open_engine(settings.database_url)) as connection:
        connection.execute(text(f"DELETE FROM events WHERE kind = 'scheduled' AND NOT ({condition})"))


def test_flights_of_one_carrier_or_of_one_outcome_are_not_learned_from(facts: Facts, tmp_path: Path) -> None:
    one_carrier = facts.installed(tmp_path / "one carrier")
    only_where(one_carrier, "subject LIKE '%.UA.%'")
    with pytest.raises(ValueError, match="are of one carrier, UA"):
        rivals.train_version(one_carrier)
    no_delays = facts.installed(tmp_path / "no delays")
    late = (
        "SELECT subject FROM events WHERE kind IN ('cancelled', 'diverted') OR kind = 'arrived' AND delay_minutes >= 15"
    )
    only_where(no_delays, f"subject NOT IN ({late})")
    with pytest.raises(ValueError, match="none was disrupted: both kinds are needed"):
        rivals.train_version(no_delays)
    for settings in (one_carrier, no_delays):
        assert [row.kind for row in rivals.decisions(settings)] == ["failed"]
        assert deployed_rows(settings) == 0


def test_an_mlflow_that_is_down_fails_the_training_at_once_and_in_words(world_copy: World) -> None:
    settings = replace(world_copy.settings, mlflow_uri="http://somebody:secret@127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(TrackingError, match=r"MLflow at http://127\.0\.0\.1:9 cannot be used"):
        rivals.train_version(settings)
    assert time.monotonic() - started < 30, "nobody waits for minutes"
    (row,) = rivals.decisions(settings, "failed")
    assert "cannot be used" in row.summary and "secret" not in row.summary
    assert champion(settings).version == 1
