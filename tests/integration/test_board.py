"""GET /flights as the board: the newest risk that counts beside each flight, to choose and to sort by."""

from typing import Any

import numpy as np
import pytest

from backend import clock
from backend.store import sql
from backend.store.predictions import Asking, Logged, log
from tests.conftest import NOON, World
from tests.integration.served import Served, problem


@pytest.fixture(name="own")
def make_own(world_copy: World, password_hash: str) -> Served:
    """A process over a world of its own, in which nobody has asked yet."""
    return Served.over(world_copy, password_hash)


def one(served: Served, identity: str) -> dict[str, Any]:
    answer = served.get(f"/flights/{identity}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.get_json()
    return body


def answered(served: Served, identity: str, as_of: int, probability: float, **more: Any) -> None:
    """Log an answer as if it had been given."""
    account, past, variant = more.get("account", "somebody"), more.get("past", False), more.get("variant", "")
    said = Logged(identity, variant, "LAX", as_of, None, 1, more.get("version", 1), probability, 0.2, None, None)
    with sql.writing(served.engine) as connection:
        log(connection, Asking(account, NOON, as_of, past), [said], np.zeros((1, 3)), "2")


def test_a_flight_that_nobody_asked_about_has_no_risk(own: Served) -> None:
    flight = own.coming()[0]
    assert flight["risk"] is None and one(own, flight["id"])["risks"] == []


def test_what_was_answered_to_anybody_stands_on_the_board(own: Served) -> None:
    first = own.coming()[0]
    (told,) = own.by("analyst").predict([{"id": first["id"]}])
    risk = {name: told[name] for name in ("probability", "band", "as_of", "model_version")}
    assert own.coming()[0]["risk"] == risk and own.coming()[1]["risk"] is None
    assert one(own, first["id"])["risks"] == [risk]


def test_the_newest_answer_has_the_word_and_all_that_count_are_listed(own: Served) -> None:
    name, now = own.coming()[0]["id"], own.world.until
    for hours, probability in ((3, 0.3), (1, 0.5), (2, 0.4)):
        answered(own, name, now - hours * clock.HOUR, probability)
    answered(own, name, now - clock.HOUR, 0.6, account="another", version=2)
    answered(own, name, now - 1, 0.9, past=True)
    answered(own, name, now - 1, 0.9, variant="LAX 2013-04-01T10:00:00Z")
    flight = one(own, name)
    assert [risk["probability"] for risk in flight["risks"]] == [0.3, 0.4, 0.6]
    assert flight["risk"] == flight["risks"][-1] == own.coming()[0]["risk"]
    assert (flight["risk"]["band"], flight["risk"]["model_version"]) == ("high", "2")


def test_the_riskiest_come_first_and_those_that_nobody_asked_about_last(own: Served) -> None:
    names = [flight["id"] for flight in own.coming()[:5]]
    for name, probability in zip(names, (0.1, 0.7, 0.2, 0.7), strict=False):
        answered(own, name, own.world.until, probability)
    seen: list[dict[str, Any]] = []
    path: str | None = "/flights?sort=-risk&limit=2"
    while path and len(seen) < 6:
        page = own.get(path).get_json()
        seen += page["items"]
        path = page["next"] and f"/flights?sort=-risk&limit=2&cursor={page['next']}"
    risks = [flight["risk"] and flight["risk"]["probability"] for flight in seen]
    assert risks == [0.7, 0.7, 0.2, 0.1, None, None]
    assert {seen[0]["id"], seen[1]["id"]} == {names[1], names[3]}
    assert own.listed("?sort=risk")[0]["risk"] is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("band=low", [0.1]),
        ("band=medium", [0.2, 0.4]),
        ("band=high", [0.45]),
        ("min_risk=0.4", [0.4, 0.45]),
        ("band=medium&min_risk=0.3", [0.4]),
        ("band=low&min_risk=0.3", []),
    ],
)
def test_only_flights_of_a_risk_are_chosen(own: Served, query: str, found: list[float]) -> None:
    for flight, probability in zip(own.coming(), (0.1, 0.2, 0.4, 0.45), strict=False):
        answered(own, flight["id"], own.world.until, probability)
    assert [flight["risk"]["probability"] for flight in own.listed(f"?sort=risk&{query}")] == found


def test_by_risk_a_window_has_31_days_at_most(own: Served) -> None:
    window = "from=2013-02-25T05:00:00Z&until=2013-03-28T05:00:00Z"
    assert own.get(f"/flights?{window}&sort=-risk").status_code == 200
    for query in (
        "from=2013-02-25T04:59:59Z&until=2013-03-28T05:00:00Z&band=low",
        "from=2013-02-25T05:00:00Z&sort=risk",
    ):
        body = problem(own.get(f"/flights?{query}"), 422)
        assert body["errors"][0]["parameter"] == "from" and "31 days" in body["detail"]
    assert own.get("/flights?from=2013-02-25T05:00:00Z").status_code == 200
