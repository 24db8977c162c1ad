"""GET /status: the whole installation at a glance, and the same with nothing in it."""

from sqlalchemy import func, select

from backend import clock
from backend.store import sql
from tests.conftest import Api
from tests.integration.served import Served, problem
from ui.answers import BaseRate, Champion, Facts, Status


def test_it_says_what_is_stored_what_serves_and_how_often_flights_are_disrupted(served: Served) -> None:
    body = served.get("/status/").get_json()
    assert set(body) == set(Status.__annotations__)
    assert set(body["facts"]) == set(Facts.__annotations__)
    assert set(body["base_rate"]) == set(BaseRate.__annotations__)
    assert set(Champion.__annotations__) <= set(body["champion"])
    assert body["clock"] == clock.iso(served.world.until) == "2013-04-01T04:00:00Z"
    assert body["champion"]["version"] == "1" and body["mode"] == "replay"
    assert 0.1 < body["base_rate"]["rate"] < 0.5 and body["base_rate"]["until"] < body["clock"]
    assert [place["code"] for place in body["airports"]["origins"]] and len(body["carriers"]) >= 10
    assert {place["code"] for place in body["airports"]["origins"]} == {"EWR", "JFK", "LGA"}


def test_its_counts_are_the_store_s(served: Served) -> None:
    facts = served.get("/status").get_json()["facts"]
    with served.engine.connect() as connection:
        for name, table in (("events", sql.events), ("flights", sql.flights), ("weather_hours", sql.weather)):
            assert facts[name] > 0
            assert facts[name] == connection.scalar(select(func.count()).select_from(table))
        assert facts["seq"] == connection.scalar(select(func.max(sql.events.c.seq)))


def test_before_the_first_ingest_it_is_empty_and_predictions_say_what_to_do(api: Api) -> None:
    headers = api.bearer("viewer")
    body = api.client().get("/status", headers=headers).get_json()
    assert body["clock"] is None and body["champion"] is None and body["base_rate"] is None
    assert body["facts"]["flights"] == 0 and body["facts"]["first_departure"] is None
    asked = {"flights": [{"id": "2013-04-01.UA.1545.EWR"}]}
    assert "jobs.ingest" in problem(api.client().post("/predict", json=asked, headers=headers), 503)["detail"]
    assert api.client().get("/flights", headers=headers).get_json() == {"items": [], "next": None}
    assert api.client().get("/models", headers=headers).get_json() == {"items": [], "next": None}


def test_it_takes_a_login(served: Served) -> None:
    problem(served.client.get("/status"), 401)
