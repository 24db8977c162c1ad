"""Reasons of the champion of a small world: exact, in groups, and those of the answer that was given."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from backend.api import explanations
from backend.flights import features, reasons
from backend.model import dataset, explain
from backend.store import deployments, sql
from backend.store.blobs import Blobs
from tests.conftest import World
from tests.integration import versions
from tests.integration.served import Served, problem
from tests.integration.test_training import champion


def test_contributions_sum_to_the_log_odds_of_the_answer_for_a_thousand_real_flights(world: World) -> None:
    serves = champion(world.settings)
    with sql.open_engine(world.settings.database_url).connect() as connection:
        here = dataset.load(connection, world.until)
    flights = here.labelled(world.until)[-250:]
    rows = np.concatenate([dataset.rows_at(here, flights, lead) for lead in (0, 3600, 6 * 3600, 24 * 3600)])
    assert len(rows) == 1000
    found = explain.contributions(serves, rows)
    np.testing.assert_allclose(found.by_feature.sum(axis=1) + found.start, serves.log_odds(rows), rtol=0, atol=1e-6)
    said = explain.explain(serves, rows)
    assert {frozenset(one.groups) for one in said} == {frozenset(reasons.GROUPS)}
    summed = [sum(one.groups.values()) + one.base for one in said]
    np.testing.assert_allclose(summed, serves.log_odds(rows), rtol=0, atol=1e-6)
    assert max(abs(one.groups["the weather"]) for one in said) > 0


@pytest.fixture(name="own")
def make_own(world_copy: World, password_hash: str) -> Served:
    """A process over a world of its own: version 1 serves, and 2, which is calibrated otherwise, was trained."""
    versions.add(world_copy, 2, calibration={"slope": 0.6, "intercept": 0.4})
    return Served.over(world_copy, password_hash)


def ask(served: Served, ids: list[str]) -> list[dict[str, Any]]:
    """The predictions for those flights, with reasons."""
    body = {"flights": [{"id": name} for name in ids]}
    answer = served.client.post("/predict?explain=true", json=body, headers=served.headers)
    assert answer.status_code == 200, answer.text
    predictions: list[dict[str, Any]] = answer.get_json()["predictions"]
    return predictions


def promote(served: Served, version: int) -> None:
    answer = served.client.post(f"/models/{version}/promote", json={"reason": "a test"}, headers=served.bearer("admin"))
    assert answer.status_code == 200, answer.text


def assert_sums(answers: list[dict[str, Any]]) -> None:
    """Base and groups sum to the log-odds of what was answered, and the largest come first."""
    for answer in answers:
        why = answer["explanation"]
        sizes = [abs(group["contribution"]) for group in why["groups"]]
        total = why["base_log_odds"] + sum(group["contribution"] for group in why["groups"])
        answered = np.log(answer["probability"] / (1 - answer["probability"]))
        assert abs(total - answered) < 1e-6 and abs(why["log_odds"] - answered) < 1e-6
        assert len(sizes) == len(reasons.GROUPS) and sizes == sorted(sizes, reverse=True)
        assert abs(1 / (1 + np.exp(-why["base_log_odds"])) - why["base_probability"]) < 1e-9


def test_a_prediction_comes_with_its_reasons_where_they_are_asked_for(own: Served) -> None:
    ids = [flight["id"] for flight in own.coming()[:20]]
    answers = ask(own, ids)
    assert [answer["id"] for answer in answers] == ids
    assert_sums(answers)
    why = answers[0]["explanation"]
    assert f"{answers[0]['probability']:.0%}" in why["sentence"] and answers[0]["explanation_missing"] is None
    assert len(why["features"]) == explain.STRONGEST and {one["name"] for one in why["features"]} < set(
        features.names()
    )
    plain = own.predict([{"id": ids[0]}])[0]
    assert plain == answers[0] | {"explanation": None, "explanation_missing": None}


def test_a_category_is_shown_as_its_code_and_what_is_not_known_as_null(world: World) -> None:
    row = np.full((1, len(features.names())), np.nan)
    flights = features.flights_of([("UA", 1545, "EWR", "IAH", 0, 1)])
    for name in features.CATEGORIES:
        row[0, features.names().index(name)] = getattr(flights, name)[0]
    said = explain.explain(champion(world.settings), row)
    values = {feature.value for feature in said[0].features}
    assert None in values and values <= {"UA", "EWR", "IAH", None}


def test_reasons_belong_to_the_first_answer_whatever_serves_by_now(own: Served) -> None:
    ids = [flight["id"] for flight in own.coming()[:6]]
    first = own.predict([{"id": name} for name in ids[:3]])
    promote(own, 2)
    answers = ask(own, ids)
    assert [answer["model_version"] for answer in answers] == ["1"] * 3 + ["2"] * 3
    assert [answer["probability"] for answer in answers[:3]] == [answer["probability"] for answer in first]
    assert_sums(answers)


def test_an_answer_of_a_version_that_is_gone_says_so_in_place_of_reasons(own: Served, password_hash: str) -> None:
    ids = [flight["id"] for flight in own.coming()[:2]]
    first = own.predict([{"id": ids[0]}])
    promote(own, 2)
    with own.engine.connect() as connection:
        deployed = deployments.of_version(connection, 1)
    assert deployed is not None
    (Path(own.world.settings.blobs) / deployed.bundle).unlink()
    gone, here = ask(Served.over(own.world, password_hash), ids)
    assert gone["probability"] == first[0]["probability"] and gone["explanation"] is None
    assert gone["explanation_missing"] == "Version 1, which answered, cannot be loaded any more: its bundle is missing."
    assert_sums([here])


def test_an_answer_from_other_features_than_todays_says_so(own: Served) -> None:
    name = own.coming()[0]["id"]
    own.predict([{"id": name}])
    with sql.writing(own.engine) as connection:
        connection.execute(update(sql.predictions).values(feature_list="1"))
    assert "features of list 1" in ask(own, [name])[0]["explanation_missing"]


def test_an_answer_that_the_log_does_not_bear_out_has_no_reasons(own: Served) -> None:
    name = own.coming()[0]["id"]
    own.predict([{"id": name}])
    with sql.writing(own.engine) as connection:
        connection.execute(update(sql.predictions).values(probability=0.5))
    assert "does not give this answer any more" in ask(own, [name])[0]["explanation_missing"]


def test_a_bundle_of_the_format_before_answers_and_gives_no_reasons(own: Served, password_hash: str) -> None:
    name = versions.add(own.world, 3)
    blobs = Blobs(own.world.settings.blobs)
    older = versions.as_format_1(blobs.read(name))
    versions.replace(own.world, 3, older)
    promote(own, 3)
    served = Served.over(own.world, password_hash)
    flight = own.coming()[0]["id"]
    answer = ask(served, [flight])[0]
    assert answer["model_version"] == "3" and answer["explanation"] is None
    assert "older format" in answer["explanation_missing"]
    assert answer["probability"] == champion_says(own, flight)


def champion_says(served: Served, flight: str) -> float:
    """What version 1, whose trees version 3 has, says of that flight."""
    promote(served, 1)
    return float(served.by("analyst").predict([{"id": flight}])[0]["probability"])


def test_a_hundred_flights_are_explained_and_one_more_is_refused(own: Served) -> None:
    coming = [flight["id"] for flight in own.coming()]
    hundred = (coming * 100)[: explanations.MOST_EXPLAINED]
    assert_sums(ask(own, hundred))
    body = {"flights": [{"id": name} for name in [*hundred, coming[0]]]}
    refused = own.client.post("/predict?explain=true", json=body, headers=own.headers)
    assert problem(refused, 422)["errors"][0]["pointer"] == "/flights"
    assert own.client.post("/predict", json=body, headers=own.headers).status_code == 200
    problem(own.client.post("/predict?explain=perhaps", json=body, headers=own.headers), 422)
    problem(own.client.post("/predict?explained=true", json=body, headers=own.headers), 422)


def test_the_example_in_the_documentation_is_an_answer(own: Served) -> None:
    spec = own.client.get("/openapi.json").get_json()
    (example,) = spec["components"]["schemas"]["Reasons"]["examples"]
    made = explanations.Reasons.model_validate(example)
    assert abs(made.base_log_odds + sum(group.contribution for group in made.groups) - made.log_odds) < 2e-3
    assert example["sentence"] == reasons.sentence(
        1 / (1 + np.exp(-made.log_odds)), {group.group: group.contribution for group in made.groups}
    )
