"""Live performance: outcomes joined to logged answers, by day and window, and the verdict on the champion."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from backend import clock, options
from backend.flights import events
from backend.flights.label import disrupted
from backend.model import evaluate
from backend.options import Retraining
from backend.store import events as log
from backend.store import sql
from backend.store.documents import open_documents
from jobs import performance
from tests.conftest import Facts, World, copied
from tests.integration import logged, rivals
from tests.integration.served import Served, problem

FIRST, LAST = date(2013, 3, 15), date(2013, 3, 31)
COMPLETE = "2013-03-29"  # the newest day whose labels are final when April begins in New York


def look(world: World, at: str | None = None) -> dict[str, Any]:
    return performance.run(world.settings, {"at": at, "actor": "tests"}, lambda *_: None, lambda _: None)


@pytest.fixture(name="filled", scope="module")
def make_filled(facts: Facts, untouched: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The small world with two weeks of answers in its log."""
    world = World(copied(facts.databases, untouched, tmp_path_factory.mktemp("filled") / "home"), facts.until)
    logged.fill(world, FIRST, LAST)
    return world


@pytest.fixture(name="mine")
def make_mine(facts: Facts, filled: World, tmp_path: Path) -> Iterator[World]:
    facts.databases.disconnect(filled.settings.home)
    yield World(copied(facts.databases, filled.settings.home, tmp_path / "mine"), facts.until)
    facts.databases.drop(tmp_path / "mine")


def rows(world: World, **wanted: Any) -> list[Any]:
    table = sql.performance
    statement = select(table).order_by(table.c.id)
    for name, value in wanted.items():
        statement = statement.where(table.c[name] == value)
    with sql.open_engine(world.settings.database_url).connect() as connection:
        return list(connection.execute(statement))


def joined(world: World, days: set[str], lead: int) -> tuple[list[int], list[float]]:
    """Labels and probabilities by another way: the projection of the flights."""
    said, flights = sql.predictions.c, sql.flights.c
    query = select(said.flight, said.probability, *flights).join_from(
        sql.predictions, sql.flights, said.flight == flights.id
    )
    query = query.where(said.scheduled_departure - said.as_of == lead * 60, said.account == logged.FEEDER)
    labels, probabilities = [], []
    with sql.open_engine(world.settings.database_url).connect() as connection:
        for row in connection.execute(query):
            if row.flight[:10] not in days:
                continue
            gone_wrong = row.cancelled_at is not None or row.diverted_at is not None
            labels.append(int(gone_wrong or disrupted("arrived", row.arrival_delay_minutes)))
            probabilities.append(row.probability)
    return labels, probabilities


def test_figures_of_a_day_and_of_a_week_are_those_of_its_answers_and_outcomes(mine: World) -> None:
    look(mine)
    for span, days in (("day", {COMPLETE}), ("7d", {f"2013-03-{day}" for day in range(23, 30)})):
        (row,) = rows(mine, day=COMPLETE, span=span, slice="all", lead_minutes=120)
        labels, probabilities = joined(mine, days, 120)
        expected = evaluate.metrics(np.array(labels), np.array(probabilities))
        assert row.said["flights"] == len(labels) > 100 and row.said["missing"] == 0
        assert {name: row.said[name] for name in expected} == pytest.approx(expected, abs=1e-12)
        assert row.said["versions"] == {"1": len(labels)}
    low, high = row.said["auc_interval"]
    assert low < row.said["auc"] < high


def test_each_lead_time_origin_and_carrier_has_its_row_and_small_ones_are_marked(mine: World) -> None:
    look(mine)
    week = rows(mine, day=COMPLETE, span="7d")
    assert {row.lead_minutes for row in week if row.slice == "all"} == set(logged.LEADS)
    assert {row.value for row in week if row.slice == "origin"} == {"EWR", "JFK", "LGA"}
    carriers = [row for row in week if row.slice == "carrier"]
    assert all(row.said["small"] == (row.said["flights"] < 100) for row in carriers)
    assert {True, False} == {row.said["small"] for row in carriers}
    assert all("auc_interval" not in row.said for row in carriers if row.said["small"])


def test_the_same_moment_again_changes_nothing(mine: World) -> None:
    look(mine)
    before = rows(mine)
    assert look(mine)["days"] == []
    assert rows(mine) == before


def test_before_outcomes_are_in_there_is_an_estimate_which_stays_when_they_come(mine: World) -> None:
    look(mine, "2013-03-26T12:00:00Z")
    (early,) = rows(mine, day="2013-03-25", slice="all", lead_minutes=120)
    assert not early.complete and "brier" not in early.said and early.said["missing"] == early.said["flights"]
    look(mine)
    (late,) = rows(mine, day="2013-03-25", slice="all", lead_minutes=120, span="day")
    assert late.complete and late.id == early.id and late.said["brier"] > 0
    assert late.said["estimated"] == early.said["estimated"]
    (week,) = rows(mine, day=COMPLETE, span="7d", slice="all", lead_minutes=120)
    assert 0 < week.said["estimate_error"]["brier"] < 0.1


def test_days_that_no_run_took_up_are_made_up_for(mine: World) -> None:
    look(mine)
    assert {row.day for row in rows(mine, span="28d")} == {f"2013-03-{day}" for day in range(14, 30)}
    late = [(row.day, row.span, row.said) for row in rows(mine, slice="all") if row.complete]
    with sql.writing(sql.open_engine(mine.settings.database_url)) as connection:
        connection.execute(sql.performance.delete())
    for day in range(17, 32):
        look(mine, f"2013-03-{day}T06:00:00Z")
    look(mine)
    early = [(row.day, row.span, row.said) for row in rows(mine, slice="all") if row.complete]

    def without_verdict(said: list[tuple[str, str, dict[str, Any]]]) -> list[Any]:
        figures = ((day, span, {name: one[name] for name in one if name != "quality"}) for day, span, one in said)
        return sorted(figures, key=repr)

    assert without_verdict(early) == without_verdict(late)


def test_a_corrected_outcome_changes_its_day_and_no_other(mine: World) -> None:
    look(mine)
    before = {(row.day, row.span, row.slice, row.value, row.lead_minutes): row.said for row in rows(mine)}
    engine = sql.open_engine(mine.settings.database_url)
    with sql.writing(engine) as connection:
        flight = sql.flights.c
        landed = select(flight.id).where(flight.id.like("2013-03-20%"), flight.arrival_delay_minutes < 0).limit(20)
        late = [events.arrived(name, mine.until - 60, 99) for name in connection.scalars(landed)]
        log.append(connection, late)
    assert look(mine)["days"] == ["2013-03-20"]
    after = {(row.day, row.span, row.slice, row.value, row.lead_minutes): row.said for row in rows(mine)}
    changed = {key[:2] for key in after if after[key] != before[key]}
    assert changed == {("2013-03-20", "day"), (COMPLETE, "28d")}
    key = ("2013-03-20", "day", "all", "", 120)
    assert round((after[key]["base_rate"] - before[key]["base_rate"]) * after[key]["flights"]) == 20


def test_a_flight_counts_once_at_each_lead_time_whoever_asks(mine: World) -> None:
    look(mine)
    before = [(row.day, row.span, row.said) for row in rows(mine)]
    logged.fill(mine, date(2013, 3, 29), LAST, account="v" * 36)
    engine, said = sql.open_engine(mine.settings.database_url), sql.predictions.c
    with sql.writing(engine) as connection:  # others ask a little off the hour, or about the past: they are not taken
        others = update(sql.predictions).where(said.account == "v" * 36)
        connection.execute(others.values(as_of=said.as_of - 60, probability=1.0))
        connection.execute(sql.performance.delete())
    look(mine)
    assert [(row.day, row.span, row.said) for row in rows(mine)] == before


def test_a_champion_that_does_worse_is_told_once_and_so_is_its_recovery(mine: World) -> None:
    assert look(mine)["down"] is False
    assert not rivals.decisions(mine.settings, "performance")
    rivals.add_gloomy(mine, 2)
    rivals.promote(mine, 2)
    engine = sql.open_engine(mine.settings.database_url)
    with sql.writing(engine) as connection:
        connection.execute(sql.predictions.delete())
    assert look(mine)["down"] is None
    logged.fill(mine, FIRST, LAST, version=2)
    found = look(mine)
    assert found["down"] is True and "version 2" in found["sentence"]
    look(mine)
    (told,) = rivals.decisions(mine.settings, "performance")
    assert told.evidence["down"] and told.evidence["version"] == 2 and told.data_at == mine.until
    rivals.promote(mine, 1)
    assert look(mine)["down"] is None
    assert [told.evidence["down"] for told in rivals.decisions(mine.settings, "performance")] == [True, False]


@pytest.mark.parametrize("by_verdict", [True, False])
def test_where_quality_is_down_one_training_is_asked_for_unless_alerts_do(mine: World, by_verdict: bool) -> None:
    documents = open_documents(mine.settings.documents)
    rivals.add_gloomy(mine, 2)
    rivals.promote(mine, 2)
    with sql.writing(sql.open_engine(mine.settings.database_url)) as connection:
        connection.execute(sql.predictions.delete())
    logged.fill(mine, FIRST, LAST, version=2)
    options.write(documents, "retraining", Retraining(by_verdict=by_verdict))
    assert [look(mine)["down"] for _ in range(3)] == [True] * 3
    causes = [row.evidence["cause"] for row in rivals.decisions(mine.settings, "requested")]
    assert causes == (["performance"] if by_verdict else [])


def test_the_api_lists_figures_by_window_slice_and_day(mine: World, password_hash: str) -> None:
    served = Served.over(mine, password_hash)
    assert served.get("/performance").get_json() == {"items": [], "next": None}
    look(mine)
    problem(served.client.get("/performance"), 401)
    first = served.get("/performance?window=day&by=all&lead_minutes=120&limit=4").get_json()
    assert [one["day"] for one in first["items"]] == [f"2013-03-{day}" for day in (31, 30, 29, 28)]
    assert [one["complete"] for one in first["items"]] == [False, False, True, True]
    assert first["items"][0]["brier"] is None and first["items"][2]["cost"]["threshold"] == 0.2
    second = served.get(f"/performance?window=day&by=all&lead_minutes=120&limit=4&cursor={first['next']}").get_json()
    assert second["items"][0]["day"] == "2013-03-27"
    jfk = served.get("/performance?by=origin&value=JFK&window=28d&from=2013-03-29&until=2013-03-30").get_json()["items"]
    assert [(one["day"], one["value"], one["lead_minutes"]) for one in jfk] == [(COMPLETE, "JFK", 120)]
    (month,) = served.get("/performance?window=28d&by=all&lead_minutes=120&from=2013-03-29").get_json()["items"]
    assert month["quality"]["down"] is False and month["quality"]["version"] == 1
    assert month["judged_at"] == clock.iso(mine.until)


@pytest.mark.parametrize("query", ["window=14d", "by=dest", "lead_minutes=x", "limit=0", "from=yesterday", "days=3"])
def test_a_question_that_is_none_is_refused(served: Served, query: str) -> None:
    problem(served.get(f"/performance?{query}"), 422)
