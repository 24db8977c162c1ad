"""What serves and the ledger, on SQLite and PostgreSQL: rollbacks, roles, which version answered when, append-only."""

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DatabaseError

from backend.store import deployments, ledger, sql
from backend.store.deployments import Roles


def trained(connection: Connection, version: int) -> None:
    ledger.decide(connection, "trained", version, version, "tests", "…", {"version": version, "job": f"job {version}"})


def serve(connection: Connection, version: int, kind: str = "promoted", at: int = 1, data_at: int | None = 1) -> None:
    decision = ledger.decide(connection, kind, at, data_at, "tests", f"{kind} {version}", {"version": version})
    deployments.deploy(connection, version, f"bundles/{version}.zip", "0" * 64, at, data_at, decision)


def standing(connection: Connection) -> list[int]:
    return [deployment.version for deployment in deployments.standing(connection)]


def test_each_rollback_goes_one_version_further_back(engine: Engine) -> None:
    with sql.writing(engine) as connection:
        for version in (1, 2, 3):
            serve(connection, version)
        serve(connection, 2, "rolled_back")
        assert standing(connection) == [1, 2]
        serve(connection, 1, "rolled_back")
        assert standing(connection) == [1]
        serve(connection, 4)
        serve(connection, 2)
        assert standing(connection) == [1, 4, 2]
        serve(connection, 4, "rolled_back")
        assert standing(connection) == [1, 4]
        assert [row.version for row in deployments.periods(connection, 20)] == [4, 2, 4, 1, 2, 3, 2, 1]


def test_what_a_rollback_left_is_not_fallen_back_to(engine: Engine) -> None:
    with sql.writing(engine) as connection:
        for version in (1, 2, 3):
            serve(connection, version)
        third = deployments.current(connection)
        serve(connection, 2, "rolled_back")
        now = deployments.current(connection)
        assert third is not None and now is not None
        before = [deployments.before(connection, one.id) for one in (third, now)]
        assert [one.version for one in before if one] == [2, 1]


def test_roles_are_those_of_the_version_that_answers(engine: Engine) -> None:
    with sql.writing(engine) as connection:
        assert deployments.roles(connection, None) == (None, None, None)
        for version in (1, 2):
            trained(connection, version)
            serve(connection, version)
        trained(connection, 3)
        said = deployments.roles(connection, 2)
        assert said == Roles(2, 3, 1) and [said.of(version) for version in (1, 2, 3, 4)] == [
            "previous",
            "champion",
            "challenger",
            None,
        ]
        assert deployments.roles(connection, 1) == (1, 3, None), "the newest cannot be loaded"
        assert deployments.roles(connection, None) == (None, 3, None)
        serve(connection, 3)
        assert deployments.roles(connection, 3) == (3, None, 2)
        serve(connection, 2, "rolled_back")
        assert deployments.roles(connection, 2) == (2, None, 1), "what was rolled back waits for no turn"


def test_which_version_answered_at_a_time_by_either_clock(engine: Engine) -> None:
    with sql.writing(engine) as connection:
        serve(connection, 1, at=1000, data_at=50)
        serve(connection, 2, at=1010, data_at=60)
        serve(connection, 1, "rolled_back", at=1020, data_at=60)
        asked = {"since": (999, 1000, 1009, 1010, 5000), "data_since": (49, 50, 59, 60, 61)}
        found = {clock: [deployments.at(connection, t, clock) for t in times] for clock, times in asked.items()}
        assert [one and one.version for one in found["since"]] == [None, 1, 1, 2, 1]
        assert [one and one.version for one in found["data_since"]] == [None, 1, 1, 1, 1]
        second = found["since"][3]
        assert second is not None
        assert (second.since, second.until, second.data_since, second.data_until) == (1010, 1020, 60, 60)
        assert (second.kind, second.actor, second.summary) == ("promoted", "tests", "promoted 2")


def test_the_ledger_is_read_by_kind_time_and_page(engine: Engine) -> None:
    with sql.writing(engine) as connection:
        for version in (1, 2, 3):
            trained(connection, version)
            serve(connection, version, at=10 * version, data_at=100 * version)
        first = ledger.decisions(connection, "promoted", 2)
        assert [row.evidence["version"] for row in first] == [3, 2]
        assert [row.at for row in ledger.decisions(connection, "promoted", 2, before=first[-1].id)] == [10]
        assert [row.at for row in ledger.decisions(connection, None, 9, since=10, until=30)] == [20, 10]
        assert [row.at for row in ledger.decisions(connection, None, 9, since=200, clock="data_at")] == [30, 20]
        assert (
            ledger.training_of(connection, 2)
            == ledger.training_by(connection, "job 2")
            == {
                "version": 2,
                "job": "job 2",
            }
        )
        assert ledger.training_of(connection, 4) is ledger.training_by(connection, "job 4") is None
        assert ledger.newest_version(connection) == 3


@pytest.mark.parametrize("table", ["decisions", "deployments"])
def test_the_database_refuses_to_change_what_was_decided(engine: Engine, table: str) -> None:
    with sql.writing(engine) as connection:
        serve(connection, 1)
    changes = ["UPDATE {} SET data_at = 7", "DELETE FROM {}"]
    if engine.dialect.name == "postgresql":
        changes.append("TRUNCATE {}")
    for change in changes:
        with pytest.raises(DatabaseError, match=f"{table} is append-only"), sql.writing(engine) as connection:
            connection.execute(text(change.format(table)))
    with engine.connect() as connection:
        assert connection.scalar(text(f"SELECT count(*) FROM {table} WHERE data_at = 1")) == 1
