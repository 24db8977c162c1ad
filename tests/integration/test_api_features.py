"""GET /flights/{id}/features: the values that an answer was made from, and facts behind them, none of the future."""

import math
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from backend import clock
from backend.flights import events, features
from backend.store import events as log
from backend.store import predictions, sql
from tests.conftest import World
from tests.integration.served import Served, problem


@pytest.fixture(name="own")
def make_own(world_copy: World, password_hash: str) -> Served:
    """A process over a world of its own."""
    return Served.over(world_copy, password_hash)


def shown(served: Served, identity: str, as_of: int | None = None) -> dict[str, Any]:
    query = "" if as_of is None else f"?as_of={clock.iso(as_of)}"
    answer = served.get(f"/flights/{identity}/features{query}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.get_json()
    return body


def epoch(time: str) -> int:
    return clock.to_epoch(datetime.fromisoformat(time))


def test_the_values_are_those_that_a_logged_answer_was_made_from(own: Served) -> None:
    name = own.coming()[3]["id"]
    own.predict([{"id": name}])
    with own.engine.connect() as connection:
        packed: bytes = connection.execute(select(sql.predictions.c.features)).scalar_one()
    said = shown(own, name)
    logged = dict(zip(features.names(), predictions.unpack(packed).tolist(), strict=True))
    for feature in said["features"]:
        value = logged.pop(feature["name"])
        if feature["name"] in features.CATEGORIES:
            assert feature["value"] in name.split(".") or feature["value"] == said["dest"]
        else:
            assert feature["value"] == (None if math.isnan(value) else value), feature["name"]
    assert not logged and said["as_of"] == clock.iso(own.world.until) and said["feature_list"] == features.VERSION


def test_every_value_has_the_facts_behind_it_and_none_is_of_the_future(served: Served) -> None:
    flown = served.listed("?from=2013-03-20T16:00:00Z&origin=JFK&limit=5")[2]
    departure = epoch(flown["scheduled_departure"])
    for as_of in (departure - 20 * clock.HOUR, departure - clock.HOUR):
        said = shown(served, flown["id"], as_of)
        behind = [facts for feature in said["features"] for facts in feature["behind"]]
        assert len(behind) >= len(said["features"]) == len(features.names())
        known = [facts["newest"]["known_at"] for facts in behind if facts["newest"]]
        assert max(known) <= said["as_of"] and len(known) > 60
        assert all((facts["newest"] is None) == (facts["number"] == 0) for facts in behind)
        assert [event["kind"] for event in said["events"]] == ["scheduled"]
    words = {facts["facts"] for facts in behind}
    assert "departures from JFK" in words and "hours of weather at JFK" in words and "this flight's schedule" in words


def test_what_is_behind_is_in_the_log(served: Served) -> None:
    said = shown(served, served.coming()[0]["id"])
    facts = {tuple(facts["newest"].values()) for one in said["features"] for facts in one["behind"] if facts["newest"]}
    with served.engine.connect() as connection:
        for kind, known_at, seq, subject in sorted(facts)[:30]:
            row = connection.execute(select(sql.events).where(sql.events.c.seq == seq)).one()
            assert (row.kind, clock.iso(row.known_at)) == (kind, known_at) and subject in row.subject


def test_a_flight_s_own_later_facts_are_not_shown(own: Served) -> None:
    name = own.coming()[0]["id"]
    said = shown(own, name)
    departure, clock_at = epoch(said["scheduled_departure"]), own.world.until
    with sql.writing(own.engine) as connection:
        assigned = events.assigned(name, clock_at + 1, departure, "N14228")
        log.append(connection, [assigned, events.cancelled(name, clock_at + 2, departure)])
        log.move_clock(connection, clock_at + 10)
    before = shown(own, name, clock_at)
    assert (before["events"], before["scheduled_departure"]) == (said["events"], said["scheduled_departure"])
    assert [one["value"] for one in before["features"]] == [one["value"] for one in said["features"]]
    now = shown(own, name)
    assert [event["kind"] for event in now["events"]] == ["scheduled", "assigned", "cancelled"]
    assert now["events"][1]["details"] == {"aircraft": "N14228"}


def test_by_default_it_is_now_or_the_departure(served: Served) -> None:
    flown = served.listed("?from=2013-03-20T16:00:00Z&limit=1")[0]
    said = shown(served, flown["id"])
    assert said["as_of"] == said["scheduled_departure"] == flown["scheduled_departure"]
    assert all(event["known_at"] <= said["as_of"] for event in said["events"])


def test_a_moment_that_nothing_can_be_said_about_is_refused_in_words(served: Served) -> None:
    flown = served.listed("?from=2013-03-20T16:00:00Z&limit=1")[0]
    departure = epoch(flown["scheduled_departure"])
    path = f"/flights/{flown['id']}/features?as_of="
    for moment, kind, word in (
        (
            departure - 48 * clock.HOUR - 1,
            "as-of-too-early",
            f"became known at {clock.iso(departure - 48 * clock.HOUR)}",
        ),
        (departure + 1, "as-of-after-departure", str(clock.iso(departure))),
        (served.world.until + 1, "as-of-in-the-future", str(clock.iso(served.world.until))),
    ):
        body = problem(served.get(path + str(clock.iso(moment))), 422)
        assert body["type"] == f"/problems/{kind}" and word in body["detail"]
        assert body["errors"][0]["parameter"] == "as_of"
    for identity in ("2013-04-01.ZZ.1.EWR", "%00", "2013-03-31T10.EWR", "é"):
        problem(served.get(f"/flights/{identity}/features"), 404)
