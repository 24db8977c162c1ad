"""The document describes every call: what it does, for whom, with examples that fit, and each error that it gives."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from backend import accounts
from backend.api import problems
from backend.api.openapi import EVERYBODY, NEED_NOTHING, operations
from tests.conftest import Api
from tests.integration.served import PROBLEM

JSON = "application/json"


@pytest.fixture(name="document")
def make_document(api: Api) -> dict[str, Any]:
    """What /openapi.json says."""
    found: dict[str, Any] = api.client().get("/openapi.json").get_json()
    return found


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(where, media type, what it says) of the body and of each answer."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "body", kind, content
    for status, response in operation["responses"].items():
        for kind, content in response.get("content", {}).items():
            yield status, kind, content


def test_it_is_openapi_3_1_and_names_no_machine(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["servers"] == [{"url": "/"}]
    assert len(document["tags"]) == len({tag["name"] for tag in document["tags"]})
    assert set(document["components"]["securitySchemes"]) == {"BasicAuth", "BearerAuth"}


def test_every_call_says_what_it_does_under_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = set()
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"] and operation["tags"], where
        assert len(operation.get("description", "")) > 20, f"{where} has no description: write a docstring"
        assert re.fullmatch("[a-z_]+", operation["operationId"]) and operation["operationId"] not in names, where
        names.add(operation["operationId"])
        assert not re.search("{identity}|//", path)
        for parameter in operation["parameters"]:
            described = parameter.get("in") == "path" or "description" in parameter or "enum" in parameter["schema"]
            assert described or "examples" in parameter["schema"], f"{where} says nothing of {parameter['name']}"
    assert {"get_flights", "get_flights_id", "post_predict", "delete_jobs_id"} <= names


def test_every_call_says_who_may_call_it(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        roles, said = operation["x-roles"], operation["security"]
        if roles == EVERYBODY:
            assert all(requirement in ({}, {"BearerAuth": []}) for requirement in said), (method, path)
        else:
            assert set(roles) <= set(accounts.ROLES) and said == [{"BearerAuth": roles}, {"BasicAuth": roles}]
            assert {"401", "403", "503"} <= set(operation["responses"]), (method, path)


def test_every_call_says_which_errors_it_may_give(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        responses = operation["responses"]
        wanted = {"415", "422"} | ({"400", "413"} if "requestBody" in operation else set())
        wanted |= {"404"} if "{" in path else set()
        wanted |= set() if operation["operationId"] in NEED_NOTHING else {"503"}
        assert wanted <= set(responses), f"{method} {path} lacks {wanted - set(responses)}"
        for status, response in responses.items():
            if status[0] in "45" and path != "/health/ready":
                assert set(response["content"]) == {PROBLEM}, (method, path, status)
        assert all(response["description"] != "Validation error" for response in responses.values())


def test_every_error_s_example_is_of_a_kind_that_may_have_that_status(document: dict[str, Any]) -> None:
    for path, _, operation in operations(document):
        for status, response in operation["responses"].items():
            if status[0] in "45" and path != "/health/ready":
                shown = response["content"][PROBLEM]["example"]
                kind = problems.BY_TITLE[shown["title"]]
                assert kind.type == shown["type"] and int(status) in kind.statuses, (path, status, shown)


def test_everything_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    def check(schema: Any, example: Any, where: object) -> None:
        whole = schema | {"components": document["components"]}
        found = list(Draft202012Validator(whole, validate_formats=True).iter_errors(example))
        assert not found, f"{where}: {found[0].message}"

    for path, method, operation in operations(document):
        for parameter in operation["parameters"]:
            examples = [*parameter["schema"].get("examples", []), parameter.get("example")]
            for example in (value for value in examples if value is not None):
                check(parameter["schema"], example, (method, path, parameter["name"]))
            assert parameter["in"] != "path" or "example" in parameter
        for place, kind, content in contents(operation):
            if kind in (JSON, PROBLEM, "application/x-www-form-urlencoded"):
                check(content["schema"], content["example"], (method, path, place))


def test_every_list_is_asked_for_and_given_in_the_same_words(document: dict[str, Any]) -> None:
    lists = 0
    for path, method, operation in operations(document):
        content = operation["responses"].get("200", {}).get("content", {}).get(JSON)
        if content is None or "items" not in content.get("example", {}):
            continue
        lists += 1
        assert "next" in content["example"], path
        said = {parameter["name"]: parameter for parameter in operation["parameters"]}
        if not said:  # whole
            assert content["example"]["next"] is None, f"{method} {path} has pages but no cursor"
            continue
        assert {"sort", "limit", "cursor"} <= set(said), path
        sorts = said["sort"]["schema"]["enum"]
        assert {name.removeprefix("-") for name in sorts} == {name for name in sorts if name[0] != "-"}
        assert len(sorts) % 2 == 0 and said["sort"]["schema"]["default"] in sorts
    assert lists >= 10
