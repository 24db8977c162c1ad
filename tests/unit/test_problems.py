"""One registry of kinds of problems: whatever is raised is in it, under one name for ever."""

import ast
import re
from pathlib import Path

from backend.api import errors, problems

ROOT = Path(__file__).parents[2]


def raised() -> list[tuple[str, int, str]]:
    """(place, status, title) of each Problem that is made in the code with words of its own."""
    found = []
    for path in sorted((ROOT / "backend").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem"):
                continue
            status, title = node.args[:2]
            if isinstance(status, ast.Constant):
                known = title.value if isinstance(title, ast.Constant) else errors.NOT_VALID
                found.append((f"{path.name}:{node.lineno}", int(str(status.value)), str(known)))
    return found


def test_every_problem_that_is_raised_is_of_a_kind_that_is_registered_with_its_status() -> None:
    made = raised()
    assert len(made) > 30
    strangers = [
        each for each in made if each[2] not in problems.BY_TITLE or each[1] not in problems.BY_TITLE[each[2]].statuses
    ]
    assert not strangers, "add each to backend/api/problems.py, and to the table in docs/api.md"


def test_no_kind_is_registered_that_nothing_raises() -> None:
    texts = "".join(path.read_text() for path in (ROOT / "backend").rglob("*.py") if path.name != "problems.py")
    unused = [kind for kind in problems.BY_TITLE.values() if f'"{kind.title}"' not in texts]
    assert set(unused) <= set(problems.OF_STATUS.values())


def test_names_and_titles_are_unique_and_names_are_fit_for_a_path() -> None:
    assert len(problems.BY_NAME) == len(problems.BY_TITLE)
    assert all(re.fullmatch("[a-z][a-z-]+", name) for name in problems.BY_NAME)
    assert problems.type_of("No such flight") == "/problems/no-such-flight"
    assert problems.type_of("I'm a Teapot") == "about:blank"
