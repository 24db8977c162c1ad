"""Jobs as the API shows them, the health of the process, and the API's description of itself."""

from typing import Any

import pytest
from sqlalchemy import insert, text

from backend import clock
from backend.store import jobs, sql
from tests.conftest import Api


def ask_for_training(api: Api, role: str, **body: object) -> dict[str, Any]:
    answer = api.client().post("/training/", headers=api.bearer(role), json=body)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.get_json()
    assert answer.headers["Location"] == f"/jobs/{job['id']}"
    return job


def test_a_training_is_a_queued_job_that_its_location_shows(api: Api) -> None:
    job = ask_for_training(api, "operator", until="2013-04-01T00:00:00-04:00")
    assert job == {
        "id": job["id"],
        "kind": "training",
        "state": "queued",
        "progress": 0.0,
        "message": "",
        "result": None,
        "error": None,
        "owner": "operator",
        "created_at": clock.iso(api.clock[0]),
        "started_at": None,
        "ended_at": None,
        "attempts": 0,
    }
    for path in (f"/jobs/{job['id']}", f"/jobs/{job['id']}/"):
        assert api.client().get(path, headers=api.bearer("operator")).get_json() == job
    stored = jobs.get(api.engine, job["id"])
    assert stored is not None and stored["params"] == {"until": "2013-04-01T04:00:00Z"}


def test_a_training_needs_no_body_at_all(api: Api) -> None:
    assert api.client().post("/training", headers=api.bearer("operator")).status_code == 202


def test_a_time_without_a_zone_is_refused(api: Api) -> None:
    answer = api.client().post("/training", headers=api.bearer("operator"), json={"until": "2013-04-01T00:00:00"})
    assert answer.status_code == 422
    assert answer.get_json(force=True)["errors"][0]["pointer"] == "/until"


def test_asking_again_for_the_same_training_gives_the_job_that_waits(api: Api) -> None:
    first = ask_for_training(api, "operator")
    assert ask_for_training(api, "admin")["id"] == first["id"]
    assert ask_for_training(api, "admin", until="2013-03-01T00:00:00Z")["id"] != first["id"]


def test_people_see_their_own_jobs_and_operators_see_all(api: Api) -> None:
    theirs = jobs.enqueue(api.engine, "batch", {}, "analyst", 1)
    others = jobs.enqueue(api.engine, "batch", {}, "viewer", 2)
    analyst, operator = api.bearer("analyst"), api.bearer("operator")

    def listed(headers: dict[str, str]) -> list[str]:
        return [job["id"] for job in api.client().get("/jobs", headers=headers).get_json()["items"]]

    assert listed(analyst) == [theirs["id"]]
    assert listed(operator) == [others["id"], theirs["id"]]
    assert api.client().get(f"/jobs/{others['id']}", headers=analyst).status_code == 404
    assert api.client().delete(f"/jobs/{others['id']}", headers=analyst).status_code == 404
    assert api.client().get(f"/jobs/{others['id']}", headers=operator).status_code == 200


def test_pages_of_jobs_hold_each_job_once(api: Api) -> None:
    made = {jobs.enqueue(api.engine, "batch", {}, "analyst", number // 3)["id"] for number in range(10)}
    headers = api.bearer("analyst")
    seen: list[str] = []
    path = "/jobs?limit=4"
    for _ in range(3):
        page = api.client().get(path, headers=headers).get_json()
        seen += [job["id"] for job in page["items"]]
        path = f"/jobs?limit=4&cursor={page['next']}"
    assert page["next"] is None
    assert len(seen) == 10 and set(seen) == made


@pytest.mark.parametrize("cursor", ["x", "1", "1.", ".x", "9" * 30 + ".x"])
def test_a_cursor_that_is_none_is_refused(api: Api, cursor: str) -> None:
    answer = api.client().get(f"/jobs?cursor={cursor}", headers=api.bearer("viewer"))
    assert answer.status_code == 422
    assert answer.get_json(force=True)["errors"][0]["parameter"] == "cursor"


def test_cancelling_ends_a_job_and_one_that_has_ended_says_so(api: Api) -> None:
    job = jobs.enqueue(api.engine, "batch", {}, "analyst", 1)
    headers = api.bearer("analyst")
    answer = api.client().delete(f"/jobs/{job['id']}", headers=headers)
    assert answer.status_code == 200 and answer.get_json()["state"] == "cancelled"
    assert answer.get_json()["ended_at"] == clock.iso(api.clock[0])
    done = jobs.enqueue(api.engine, "batch", {}, "analyst", 2)
    claim = jobs.claim(api.engine, ["batch"])
    assert claim is not None and claim.id == done["id"]
    claim.finish({"rows": 3})
    assert api.client().delete(f"/jobs/{done['id']}", headers=headers).status_code == 409
    assert api.client().get(f"/jobs/{done['id']}", headers=headers).get_json()["result"] == {"rows": 3}


def test_readiness_names_what_is_missing_until_nothing_is(api: Api) -> None:
    def missing() -> tuple[int, str]:
        answer = api.client().get("/health/ready")
        return answer.status_code, " ".join(answer.get_json()["missing"])

    status, sentences = missing()
    assert status == 503 and "jobs.ingest" in sentences and "jobs.training" in sentences
    with sql.writing(api.engine) as connection:
        connection.execute(insert(sql.clock).values(name="data", at=1))
    status, sentences = missing()
    assert status == 503 and "jobs.ingest" not in sentences and "jobs.training" in sentences
    with sql.writing(api.engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    status, sentences = missing()
    assert status == 503 and "tables" in sentences


def test_the_process_lives_without_anything(api: Api) -> None:
    assert api.client().get("/health/live").get_json() == {"status": "ok"}


def test_the_specification_is_openapi_3_1_with_both_ways_to_log_in(api: Api) -> None:
    spec = api.client().get("/openapi.json").get_json()
    assert spec["openapi"].startswith("3.1")
    schemes = spec["components"]["securitySchemes"]
    assert {scheme["scheme"] for scheme in schemes.values()} == {"basic", "bearer"}
    training = spec["paths"]["/training"]["post"]
    assert [next(iter(way)) for way in training["security"]] == ["BearerAuth", "BasicAuth"]
    assert {"202", "400", "401", "403", "413", "415", "422"} <= set(training["responses"])


def test_every_error_in_the_specification_is_problem_details(api: Api) -> None:
    spec = api.client().get("/openapi.json").get_json()
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                if status[0] in "45" and path != "/health/ready":
                    assert list(response["content"]) == ["application/problem+json"], f"{method} {path} {status}"


def test_every_reference_in_the_specification_leads_somewhere(api: Api) -> None:
    spec = api.client().get("/openapi.json").get_json()

    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if "$ref" in node else []
            return own + [found for value in node.values() for found in references(value)]
        return [found for value in node for found in references(value)] if isinstance(node, list) else []

    for reference in references(spec):
        node: Any = spec
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_the_page_of_the_specification_needs_nothing_from_outside(api: Api) -> None:
    page = api.client().get("/docs")
    assert page.status_code == 200
    assert "://" not in page.text.replace(f"http://{page.request.host}", "")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        with api.client().get(f"/docs/{name}") as answer:
            assert answer.status_code == 200
