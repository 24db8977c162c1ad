"""Reasons of the champion of a small world: exact, and in groups."""

import numpy as np

from backend.flights import reasons
from backend.model import dataset, explain
from backend.store import sql
from tests.conftest import World
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
    assert {tuple(one.groups) for one in said} == {reasons.GROUPS}
    summed = [sum(one.groups.values()) + found.start for one in said]
    np.testing.assert_allclose(summed, serves.log_odds(rows), rtol=0, atol=1e-6)
    assert max(abs(one.groups["the weather"]) for one in said) > 0
    assert all("usual" in one.sentence for one in said)
