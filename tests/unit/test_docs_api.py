"""docs/api.md says what the API is: every call with its roles, every kind of problem, every kind of event."""

import re
from pathlib import Path
from typing import Any

import pytest

from backend import accounts
from backend import settings as settings_module
from backend.api import problems
from backend.api.openapi import operations
from backend.app import create_app
from backend.flights.observed import FIELDS

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    part = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def allowed(cell: str) -> set[str]:
    """The roles that a cell stands for: a person's role, and those above it."""
    named = {role.strip() for role in cell.split(",")}
    people = [role for role in accounts.PEOPLE if role in named]
    above = accounts.PEOPLE[accounts.PEOPLE.index(people[0]) :] if people else ()
    return named | set(above)


@pytest.fixture(name="document", scope="module")
def make_document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What /openapi.json says."""
    home = tmp_path_factory.mktemp("home")
    app = create_app(settings_module.load({"PUSHBACK_HOME": str(home)}))
    found: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return found


def test_the_table_of_calls_has_each_of_them_once_and_with_its_roles(document: dict[str, Any]) -> None:
    said = {call.strip("`"): allowed(roles) for call, roles, _ in rows("Every call")}
    real = {f"{method.upper()} {path}": set(one["x-roles"]) for path, method, one in operations(document)}
    assert set(real) - set(said) == set(), "docs/api.md lacks these calls: add a row for each"
    assert set(said) - set(real) == set(), "docs/api.md names calls that there are not"
    assert said == real
    assert len(rows("Every call")) == len(said)


def test_the_table_of_errors_has_each_kind_with_its_statuses() -> None:
    said = {kind.strip("`"): statuses for kind, statuses, _ in rows("Errors")}
    assert said == {kind.type: ", ".join(map(str, kind.statuses)) for kind in problems.BY_NAME.values()}


def test_the_table_of_events_has_each_kind_with_its_fields() -> None:
    def fields(cell: str) -> tuple[str, ...]:
        return tuple(re.findall(r"`(\w+)`", cell))

    said = {fields(kind)[0]: (fields(needed), fields(more)) for kind, needed, more, _ in rows("Observations")}
    assert said == dict(FIELDS)
