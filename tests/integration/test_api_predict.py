"""POST /predict on a small real world: what it answers, from what, and how it refuses."""

import json
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from backend import clock
from backend.flights import events, features
from backend.model import bundle, scoring
from backend.model.serving import Serving
from backend.store import deployments, ledger, sql
from backend.store import events as log
from backend.store.blobs import Blobs
from tests.conftest import PASSWORD, World
from tests.integration.served import Served, problem
from tests.integration.versions import saying
from ui.answers import Prediction

HOUR = clock.HOUR


def change(served: Served, **changes: Any) -> dict[str, Any]:
    """The schedule of the first coming flight, with those fields changed."""
    flight = served.coming()[0]
    names = ("carrier", "flight", "origin", "dest", "scheduled_departure")
    return {name: flight[name] for name in names} | changes


def test_a_flight_by_id_and_by_schedule_is_one_answer_with_every_field(served: Served) -> None:
    by_id, by_schedule = served.predict([{"id": served.coming()[0]["id"]}, change(served)])
    assert by_id == by_schedule
    assert set(by_id) == set(Prediction.__annotations__)
    assert 0 < by_id["probability"] < 1 and by_id["band"] == scoring.band(by_id["probability"])


def test_by_default_it_answers_as_of_the_data_clock(served: Served) -> None:
    answer = served.predict([change(served)])[0]
    assert answer["as_of"] == clock.iso(served.world.until)
    departure = datetime.fromisoformat(answer["scheduled_departure"])
    assert answer["lead_time_minutes"] == (clock.to_epoch(departure) - served.world.until) // 60


def test_basic_and_bearer_open_it_and_nothing_else_does(served: Served) -> None:
    body = {"flights": [change(served)]}
    client = served.app.test_client()
    assert client.post("/predict", json=body, auth=("viewer", PASSWORD)).status_code == 200
    assert client.post("/predict/", json=body, headers=served.headers).status_code == 200
    problem(client.post("/predict", json=body), 401)
    problem(client.post("/predict", json=body, auth=("viewer", "wrong")), 401)
    problem(client.post("/predict", json=body, headers={"Authorization": "Bearer x"}), 401)


def test_a_thousand_flights_are_answered_in_the_order_of_the_questions(served: Served) -> None:
    coming = [{"id": flight["id"]} for flight in served.coming()]
    asked = (coming * 1000)[:1000]
    answers = served.predict(asked)
    assert [answer["id"] for answer in answers] == [flight["id"] for flight in asked]
    alone = served.predict([asked[7]])[0]
    assert answers[7] == alone


def refused(served: Served, flight: Any, status: int = 422, **more: Any) -> dict[str, Any]:
    return problem(served.post({"flights": [flight], **more}), status)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("origin", "XXX"),
        ("dest", "ZZZZ"),
        ("dest", "no airport"),
        ("carrier", "ZZ"),
        ("carrier", "é"),
        ("flight", 0),
        ("flight", 10**30),
        ("flight", "a"),
        ("flight", 1.5),
        ("flight", []),
        ("scheduled_departure", "2013-03-31T23:00:00Z"),
        ("scheduled_departure", "2013-04-02T04:01:00Z"),
        ("scheduled_departure", "0001-01-01T00:00:00+14:00"),
        ("scheduled_departure", "9999-12-31T23:59:59-14:00"),
        ("scheduled_departure", "2013-04-01T09:15:00"),
        ("scheduled_departure", 1e400),
        ("scheduled_departure", {}),
        ("scheduled_arrival", "2013-04-01T04:00:00Z"),
        ("scheduled_arrival", "9999-12-31T23:59:59Z"),
    ],
)
def test_what_is_wrong_with_a_flight_is_pointed_at(served: Served, field: str, value: Any) -> None:
    body = refused(served, change(served, **{field: value}))
    assert f"/flights/0/{field}" in [error["pointer"] for error in body["errors"]]


def test_nan_and_infinity_are_no_numbers(served: Served) -> None:
    for number in ("NaN", "Infinity", "-Infinity", "1e999"):
        text = json.dumps({"flights": [change(served, flight=12345)]}).replace("12345", number)
        answer = served.client.post("/predict", data=text, content_type="application/json", headers=served.headers)
        assert answer.status_code in (400, 422)
        problem(answer, answer.status_code)


@pytest.mark.parametrize("body", [{}, [], None, 1, {"flights": []}, {"flights": {}}, {"flights": [None]}])
def test_another_shape_is_refused(served: Served, body: Any) -> None:
    problem(served.post(body), 422)


def test_both_ways_at_once_are_refused(served: Served) -> None:
    refused(served, change(served, id=served.coming()[0]["id"]))
    refused(served, {"id": served.coming()[0]["id"], "scheduled_arrival": "2013-04-01T12:00:00Z"})
    refused(served, {"carrier": "UA"})


def test_an_id_that_is_not_stored_is_not_found(served: Served) -> None:
    assert refused(served, {"id": "2013-04-01.XX.1.EWR"}, 404)["errors"][0]["pointer"] == "/flights/0/id"


def test_more_than_a_thousand_flights_are_refused(served: Served) -> None:
    assert problem(served.post({"flights": [change(served)] * 1001}), 422)["errors"][0]["pointer"] == "/flights"


@pytest.mark.parametrize("as_of", ["2013-04-01T04:00:01Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "soon"])
def test_an_as_of_that_nobody_can_answer_is_refused(served: Served, as_of: str) -> None:
    assert refused(served, change(served), as_of=as_of)["errors"][0]["pointer"] == "/as_of"


def test_every_fault_of_a_request_is_named_at_once(served: Served) -> None:
    bad = change(served, carrier="ZZ", dest="XXX")
    body = problem(served.post({"flights": [change(served), bad]}), 422)
    assert [error["pointer"] for error in body["errors"]] == ["/flights/1/carrier", "/flights/1/dest"]


def test_a_past_as_of_uses_nothing_that_became_known_later(world_copy: World, password_hash: str) -> None:
    served = Served.over(world_copy, password_hash)
    earlier = world_copy.until - 30 * HOUR
    as_of = clock.iso(earlier)
    since, until = clock.iso(earlier), clock.iso(earlier + 20 * HOUR)
    asked = [{"id": flight["id"]} for flight in served.listed(f"?from={since}&until={until}&limit=200")]
    before = served.predict(asked, as_of=as_of)
    with sql.writing(served.engine) as connection:
        connection.execute(sql.events.delete().where(sql.events.c.known_at > earlier))
    after = Served.over(world_copy, password_hash).by("analyst").predict(asked, as_of=as_of)
    assert [a["probability"] for a in before] == [a["probability"] for a in after]
    now = served.predict([{"id": served.coming()[0]["id"]}])[0]
    assert now["as_of"] == clock.iso(world_copy.until)


def late_departures(served: Served, at: int) -> list[events.Event]:
    """Departures, very late, of the last flights that are stored as gone."""
    table = sql.flights.c
    with served.engine.connect() as connection:
        gone = select(table.id).where(table.departed_at < at).order_by(table.departed_at.desc()).limit(40)
        return [events.departed(identity, at - 60, 240) for identity in connection.scalars(gone)]


def test_a_new_fact_changes_the_next_answer_in_every_process(world_copy: World, password_hash: str) -> None:
    first, second = Served.over(world_copy, password_hash), Served.over(world_copy, password_hash)
    asked = [{"id": flight["id"]} for flight in first.coming()[:50]]
    before = first.predict(asked)
    assert second.by("analyst").predict(asked) == before
    with sql.writing(sql.open_engine(world_copy.settings.database_url)) as connection:
        log.append(connection, late_departures(first, world_copy.until))
        newest = log.newest_seq(connection)
    after = first.by("operator").predict(asked)
    assert after == second.by("admin").predict(asked)
    assert after == Served.over(world_copy, password_hash).by("feeder").predict(asked)
    assert {answer["seq"] for answer in after} == {newest} != {answer["seq"] for answer in before}
    assert [a["probability"] for a in after] != [a["probability"] for a in before]


def test_a_fact_that_is_recorded_before_it_is_known_counts_once_the_clock_is_there(
    world_copy: World, password_hash: str
) -> None:
    served = Served.over(world_copy, password_hash)
    later = world_copy.until + HOUR
    with sql.writing(served.engine) as connection:
        log.append(connection, late_departures(served, later + 60))
        log.append(connection, [events.weather("JFK", world_copy.until - 3 * HOUR, {"temp": 40.0})])
    asked = [
        {"id": flight["id"]} for flight in served.coming() if flight["scheduled_departure"] > str(clock.iso(later))
    ]
    served.predict(asked[:20])
    with sql.writing(served.engine) as connection:
        log.move_clock(connection, later)
    fresh = Served.over(world_copy, password_hash).by("analyst")
    assert served.predict(asked[:20]) == fresh.predict(asked[:20])


def deploy_second(world: World, damaged: bool = False) -> None:
    """Lets the same model serve as version 2; where it is damaged, one bit of its file is not what was deployed."""
    blobs = Blobs(world.settings.blobs)
    with sql.writing(sql.open_engine(world.settings.database_url)) as connection:
        first = deployments.current(connection)
        assert first is not None
        content = saying(blobs.read(first.bundle), version=2)
        blobs.write("bundles/2.zip", flipped(content) if damaged else content)
        decision = ledger.decide(connection, "promoted", 1, 1, "tests", "the same again", {"version": 2})
        deployments.deploy(connection, 2, "bundles/2.zip", bundle.sha256(content), 1, 1, decision)


def flipped(content: bytes) -> bytes:
    """The same with one bit changed in its middle."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def test_a_deployment_serves_from_the_next_request_on(world_copy: World, password_hash: str) -> None:
    served = Served.over(world_copy, password_hash)
    before = served.predict([change(served)])[0]
    deploy_second(world_copy)
    after = served.by("analyst").predict([change(served)])[0]
    assert (before["model_version"], after["model_version"]) == ("1", "2")
    assert before["probability"] == after["probability"]


def ready(served: Served) -> tuple[int, dict[str, Any]]:
    answer = served.client.get("/health/ready")
    return answer.status_code, answer.get_json()


def test_a_newer_deployment_that_is_damaged_takes_nothing_down(world_copy: World, password_hash: str) -> None:
    running = Served.over(world_copy, password_hash)
    before = running.predict([change(running)])
    deploy_second(world_copy, damaged=True)
    for served in (running.by("analyst"), Served.over(world_copy, password_hash).by("operator")):
        assert served.predict([change(served)]) == before
        status, said = ready(served)
        assert (status, said["status"]) == (200, "degraded")
        assert "Version 2 cannot be loaded" in said["missing"][0] and "damaged" in said["missing"][0]


def test_where_nothing_can_be_loaded_readiness_and_predictions_say_why(world_copy: World, password_hash: str) -> None:
    running = Served.over(world_copy, password_hash)
    assert running.predict([change(running)])
    blobs = Blobs(world_copy.settings.blobs)
    with running.engine.connect() as connection:
        serves = deployments.current(connection)
    assert serves is not None
    blobs.write(serves.bundle, flipped(blobs.read(serves.bundle)))
    fresh = Served.over(world_copy, password_hash).by("operator")
    status, said = ready(fresh)
    assert (status, said["status"]) == (503, "not ready") and "damaged" in said["missing"][0]
    assert "damaged" in problem(fresh.post({"flights": [change(fresh)]}), 503)["detail"]
    assert running.by("analyst").predict([change(running)]) and ready(running) == (200, {"status": "ok", "missing": []})


def test_the_answer_is_the_bundle_s_for_the_same_rows(served: Served) -> None:
    asked = served.coming()[:30]
    answers = served.predict([{"id": flight["id"]} for flight in asked])
    serving = Serving(Blobs(served.world.settings.blobs))
    times = [
        tuple(clock.to_epoch(datetime.fromisoformat(flight[f"scheduled_{end}"])) for end in ("departure", "arrival"))
        for flight in asked
    ]
    rows = [
        (flight["carrier"], flight["flight"], flight["origin"], flight["dest"], *ends)
        for flight, ends in zip(asked, times, strict=True)
    ]
    as_of = served.world.until
    with served.engine.connect() as connection:
        champion, _ = serving.champion(connection)
        built = features.build(
            features.flights_of(rows), np.full(len(rows), as_of, np.int64), serving.history(connection, as_of)
        )
    assert champion.probability(built).tolist() == [answer["probability"] for answer in answers]


def test_head_and_other_methods_are_problem_details_or_empty(served: Served) -> None:
    problem(served.client.get("/predict", headers=served.headers), 405)
    assert served.client.head("/predict", headers=served.headers).status_code == 405
