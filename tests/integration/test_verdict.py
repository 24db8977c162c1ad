"""From a training to what serves: comparison with the champion, promotion by evidence, and the guard's way back."""

import pytest
from mlflow import MlflowClient

from backend.flights.events import arrived
from backend.model import tracking
from backend.settings import Settings
from backend.store import deployments, ledger, sql
from backend.store import events as log
from backend.store.deployments import Roles
from jobs import guard, training
from tests.conftest import Facts, World, enter
from tests.integration import rivals, versions


@pytest.fixture(name="early")
def make_early(facts: Facts, tmp_path_factory: pytest.TempPathFactory) -> World:
    """An installation whose champion was trained four weeks ago."""
    settings = facts.installed(tmp_path_factory.mktemp("early") / "home")
    rivals.train_version(settings, until=rivals.EARLY)
    return World(settings, facts.until)


def aliases(settings: Settings) -> dict[str, int]:
    client = MlflowClient(tracking_uri=settings.mlflow_uri, registry_uri=settings.mlflow_uri)
    return {alias: int(version) for alias, version in client.get_registered_model(tracking.MODEL).aliases.items()}


def roles(settings: Settings) -> Roles:
    with sql.open_engine(settings.database_url).connect() as connection:
        return deployments.roles(connection, versions.serving(World(settings, 0)))


def test_a_challenger_that_does_better_than_what_serves_is_promoted_and_the_ledger_says_why(early: World) -> None:
    rivals.add_gloomy(early, 2)
    rivals.promote(early, 2)
    result = rivals.train_version(early.settings)
    new = result["version"]
    assert (result["verdict"], result["promoted"], result["champion"]) == ("promote", True, 2)
    assert versions.serving(early) == new
    trained, compared, promoted = rivals.decisions(early.settings)[-3:]
    assert [row.kind for row in (trained, compared, promoted)] == ["trained", "compared", "promoted"]
    assert {row.actor for row in (trained, compared, promoted)} == {"tests"}
    assert result["sentence"] in compared.summary and result["sentence"] in promoted.summary
    assert promoted.evidence["replaces"] == 2
    for name in ("data_digest", "commit", "libraries", "feature_list", "bundle_sha256"):
        assert compared.evidence[name] == promoted.evidence[name] == trained.evidence[name]
    assert roles(early.settings) == Roles(champion=new, challenger=None, previous=2)


def test_nobody_is_judged_by_flights_that_either_has_learned_from(early: World) -> None:
    rivals.train_version(early.settings)
    (compared,) = rivals.decisions(early.settings, "compared")
    said = [row.evidence for row in rivals.decisions(early.settings, "trained")]
    window = compared.evidence["window"]
    assert window["flights"] == compared.evidence["numbers"]["flights"] > 1000
    for trained in said:
        assert rivals.epoch(trained["fitted_until"]) < rivals.epoch(window["from"])
    assert said[1]["evaluated_on"]["from"] == window["from"]


def test_a_challenger_that_is_not_told_apart_waits_in_the_shadow_and_mlflow_says_so(early: World) -> None:
    result = rivals.train_version(early.settings)
    assert (result["verdict"], result["promoted"]) == ("not_enough_evidence", False)
    assert aliases(early.settings) == {"champion": 1, "challenger": 2}
    client = MlflowClient(tracking_uri=early.settings.mlflow_uri, registry_uri=early.settings.mlflow_uri)
    tags = {version: client.get_model_version(tracking.MODEL, str(version)).tags for version in (1, 2)}
    assert (tags[1]["verdict"], tags[2]["verdict"]) == ("first", "not_enough_evidence")
    assert tags[2]["sentence"] == result["sentence"]


def test_a_recipe_that_was_promoted_may_be_fitted_again_on_everything_before_it_serves(early: World) -> None:
    rivals.add_gloomy(early, 2)
    rivals.promote(early, 2)
    rivals.train_version(early.settings, refit=True)
    trained, compared, _ = rivals.decisions(early.settings)[-3:]
    assert rivals.epoch(trained.evidence["fitted_until"]) > rivals.epoch(compared.evidence["window"]["from"])
    assert trained.evidence["evaluated_on"]["from"] == compared.evidence["window"]["from"]


def test_a_job_that_is_done_again_trains_nothing_again(early: World) -> None:
    first = rivals.train_version(early.settings, job="a job")
    before = len(rivals.decisions(early.settings))
    assert rivals.train_version(early.settings, job="a job") == first
    assert len(rivals.decisions(early.settings)) == before


def test_a_promotion_that_was_overtaken_changes_nothing(early: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rivals.add_gloomy(early, 2)
    rivals.promote(early, 2)
    log_training = tracking.log_training

    def meanwhile(*arguments: object) -> tuple[int, str]:
        versions.add(early, 9)
        rivals.promote(early, 9)
        return log_training(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(tracking, "log_training", meanwhile)
    result = rivals.train_version(early.settings)
    assert (result["verdict"], result["promoted"]) == ("promote", False)
    assert versions.serving(early) == 9
    assert rivals.decisions(early.settings, "compared")[-1].evidence["overtaken_by"] == 9


def test_a_reader_sees_the_card_of_each_version(early: World) -> None:
    client = MlflowClient(tracking_uri=early.settings.mlflow_uri, registry_uri=early.settings.mlflow_uri)
    run = client.get_model_version(tracking.MODEL, "1").run_id
    assert run is not None
    text = (early.settings.home / "mlflow" / "artifacts" / run / "artifacts" / "model-card.md").read_text("utf-8")
    for heading in ("By hours before departure", "By origin", "By carrier", "By month", "Calibration", "Limits"):
        assert f"## {heading}" in text
    with sql.open_engine(early.settings.database_url).connect() as connection:
        said = ledger.training_of(connection, 1)
    assert said is not None and said["data_digest"] in text
    (newark,) = [row for row in said["slices"] if (row["by"], row["value"]) == ("origin", "EWR")]
    low, high = newark["auc_interval"]
    assert low < newark["auc"] < high and f"{low:.4f} to {high:.4f}" in text


def serve_since(world: World, version: int, data_at: int) -> None:
    """Let a version serve since that moment of the data clock."""
    with sql.writing(sql.open_engine(world.settings.database_url)) as connection:
        trained = ledger.training_of(connection, version)
        assert trained is not None
        said = {"version": version}
        decision = ledger.decide(connection, "promoted", data_at, data_at, "tests", "for this test", said)
        place = (trained["bundle"], trained["bundle_sha256"], data_at, data_at, decision)
        deployments.deploy(connection, version, *place)


def look(world: World) -> dict[str, object]:
    return guard.run(world.settings, {"actor": "guard"}, lambda *_: None, lambda _: None)


def test_the_guard_goes_back_when_what_happened_speaks_against_the_champion(early: World) -> None:
    rivals.add_gloomy(early, 2)
    serve_since(early, 2, rivals.epoch("2013-03-05T05:00:00Z"))
    found = look(early)
    assert (found["verdict"], found["rolled_back"]) == ("promote", True)
    assert versions.serving(early) == 1
    (row,) = rivals.decisions(early.settings, "rolled_back")
    assert (row.actor, row.evidence["version"], row.evidence["replaces"]) == ("guard", 1, 2)
    assert row.evidence["numbers"]["days"] >= 14 and row.evidence["data_digest"]
    assert look(early)["verdict"] is None, "there is nothing further back"


def test_the_guard_lets_a_champion_serve_that_does_well_and_writes_that_it_looked(early: World) -> None:
    rivals.add_gloomy(early, 2)
    serve_since(early, 2, rivals.epoch("2013-03-04T05:00:00Z"))
    serve_since(early, 1, rivals.epoch("2013-03-05T05:00:00Z"))
    found = look(early)
    assert (found["verdict"], found["rolled_back"]) == ("keep", False)
    assert versions.serving(early) == 1
    (row,) = rivals.decisions(early.settings, "guarded")
    assert row.evidence["previous"] == 2 and row.evidence["verdict"] == "keep"


def test_the_guard_judges_nothing_on_a_few_days(early: World) -> None:
    rivals.add_gloomy(early, 2)
    serve_since(early, 2, rivals.epoch("2013-03-25T05:00:00Z"))
    assert look(early)["verdict"] == "not_enough_evidence"
    assert versions.serving(early) == 2


# What nobody can do through the log, which only grows.
TAMPER = """UPDATE events SET delay_minutes = delay_minutes + 90
WHERE seq = (SELECT min(seq) FROM events WHERE kind = 'arrived' AND delay_minutes < 0)"""


def correct_first_arrival(world: World) -> None:
    """Late word on an arrival that the first version has learned from."""
    events = sql.events.c
    with sql.writing(sql.open_engine(world.settings.database_url)) as connection:
        first = connection.execute(
            sql.events.select().where(events.kind == "arrived", events.delay_minutes < 0).order_by(events.seq)
        ).first()
        assert first is not None
        log.append(connection, [arrived(first.subject, first.at, first.delay_minutes + 90)])


def test_an_old_version_is_made_again_from_its_moment_and_seq_whatever_came_since(
    early: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    correct_first_arrival(early)
    enter(early.settings, monkeypatch)
    assert training.main(["--reproduce", "1"]) == 0
    assert "Version 1 was made again" in capsys.readouterr().out


def test_a_version_whose_facts_were_changed_behind_the_log_is_not_called_the_same(
    early: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(early.settings, monkeypatch)
    with sql.writing(sql.open_engine(early.settings.database_url)) as connection:
        assert connection.exec_driver_sql(TAMPER).rowcount == 1
    assert training.main(["--reproduce", "1"]) == 1
    assert "these are not the facts that it was trained on" in capsys.readouterr().err
    assert training.main(["--reproduce", "7"]) == 1
    assert "version 7 was never trained" in capsys.readouterr().err
