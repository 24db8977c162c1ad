"""GET /health/ready names what is missing, and a database of another version gets no 500 out of any call."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from backend.app import create_app
from backend.store import migrate, sql
from backend.store.migrate import NewerSchemaError
from tests.conftest import NOON, Api
from tests.integration.served import Served, problem

OLDER, NEWER = "0007", "9999"
OPEN = {"/health/live", "/docs/", "/openapi.json", "/problems"}


def ready(api: Api | Served) -> tuple[int, str]:
    answer = api.app.test_client().get("/health/ready")
    return answer.status_code, " ".join(answer.get_json()["missing"])


def stamp(api: Api, version: str) -> None:
    with sql.writing(api.engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def every_call(api: Api) -> list[tuple[str, str]]:
    """Each method of each rule, with something in the place of its variables."""
    found = []
    for rule in api.app.url_map.iter_rules():
        _, path = rule.build(dict.fromkeys(rule.arguments, 1), append_unknown=False) or ("", rule.rule)
        found += [
            (method, path) for method in rule.methods or () if method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        ]
    return found


@pytest.mark.parametrize(("version", "said"), [(OLDER, "jobs.worker"), (NEWER, "newer")])
def test_a_database_of_another_version_is_a_503_with_both_versions_at_every_call(
    api: Api, monkeypatch: pytest.MonkeyPatch, version: str, said: str
) -> None:
    monkeypatch.setattr(migrate, "CHECKED_SECONDS", 0.0)
    headers = api.bearer("admin")
    assert api.client().get("/jobs", headers=headers).status_code == 200
    stamp(api, version)
    status, missing = ready(api)
    assert status == 503 and version in missing and migrate.HEAD in missing and said in missing
    calls = every_call(api)
    assert len(calls) > 40
    for (method, path), who in itertools.product(calls, ({}, headers)):
        answer = api.client().open(path, method=method, headers=who)
        if path in OPEN:
            assert answer.status_code == 200, path
        elif path != "/health/ready" and not path.startswith(("/docs/", "/problems/")):
            assert problem(answer, 503)["detail"] == missing and answer.headers["Retry-After"], path
    stamp(api, migrate.HEAD)
    assert api.client().get("/jobs", headers=headers).status_code == 200


def test_a_database_of_a_newer_program_is_left_alone_by_an_older_one(api: Api) -> None:
    stamp(api, NEWER)
    with pytest.raises(NewerSchemaError, match="newer"):
        migrate.upgrade(api.engine)


def test_a_database_without_tables_is_named(api: Api) -> None:
    with sql.writing(api.engine) as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    status, missing = ready(api)
    assert status == 503 and "no tables yet" in missing


@pytest.mark.sqlite("since documents are not in the database")
def test_documents_that_cannot_be_read_are_named(api: Api) -> None:
    headers = api.bearer("viewer")
    file = Path(api.settings.documents)
    whole = file.read_bytes()
    file.write_bytes(b"{oops")
    status, missing = ready(api)
    assert status == 503 and "documents.json is not JSON" in missing
    assert "/health/ready" in problem(api.client().get("/jobs", headers=headers), 503)["detail"]
    fresh: Any = create_app(api.settings, lambda: NOON)  # a process that starts then says the same
    assert "documents.json is not JSON" in " ".join(fresh.test_client().get("/health/ready").get_json()["missing"])
    problem(fresh.test_client().get("/jobs", headers=headers), 503)
    file.write_bytes(whole)
    assert api.client().get("/jobs", headers=headers).status_code == 200
    assert fresh.test_client().get("/jobs", headers=headers).status_code == 200


@pytest.mark.sqlite("since bundles are not in the database")
def test_a_bundle_that_is_gone_is_named(world_copy: Any, password_hash: str) -> None:
    own = Served.over(world_copy, password_hash)
    assert ready(own) == (200, "")
    for bundle in (world_copy.settings.home / "blobs" / "bundles").iterdir():
        bundle.unlink()
    fresh = Served.over(world_copy, password_hash)
    status, missing = ready(fresh)
    assert status == 503 and missing == "Version 1 cannot be loaded: its bundle is missing."
    own.engine.dispose()
    fresh.engine.dispose()
