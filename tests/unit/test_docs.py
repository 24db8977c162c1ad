"""The documents say what is so: every dependency has its line, every named target and file exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def direct_dependencies() -> list[str]:
    """Names as in requirements/*.in, without extras and versions."""
    lines = [line for path in (ROOT / "requirements").glob("*.in") for line in path.read_text().splitlines()]
    return sorted({re.split(r"[\[=<>]", line)[0] for line in lines if line and line[0] not in "#-"}, key=str.lower)


@pytest.mark.parametrize("name", direct_dependencies())
def test_every_direct_dependency_has_a_line_that_says_why(name: str) -> None:
    lines = (ROOT / "docs" / "architecture.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("|") and f"`{name}`" in line.split("|")[1]]
    assert len(rows) == 1, f"docs/architecture.md has {len(rows)} rows for {name}"
    assert all(cell.strip() for cell in rows[0].split("|")[2:4]), f"the row of {name} lacks its why or what replaces it"


def test_no_line_is_about_a_dependency_that_is_gone() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text().split("## Dependencies")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert named <= set(direct_dependencies())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_that_a_document_names_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", path.read_text()))
    assert named <= targets, f"{path.name} names {sorted(named - targets)}"


def test_the_readme_names_the_two_commands() -> None:
    assert {"up", "test"} <= set(re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text()))


def test_every_target_says_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()
    silent = [target for target in phony if not re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE)]
    assert not silent


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", path.read_text())]
    broken = [link for link in links if link and "://" not in link and not (path.parent / link).exists()]
    assert not broken


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(path: Path) -> None:
    rooms = r"(?:backend|jobs|ui|tests|docs|requirements)"
    named = set(re.findall(rf"`({rooms}/[\w./-]+\.(?:py|md|in|txt|toml))`", path.read_text()))
    gone = [name for name in sorted(named) if not (ROOT / name).exists()]
    assert not gone


def test_every_variable_that_is_read_is_documented_and_every_documented_one_is_read() -> None:
    read = set(re.findall(r'"([A-Z][A-Z_]+)"', (ROOT / "backend" / "settings.py").read_text())) - {
        *("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    }
    rows = [line for line in (ROOT / "docs" / "operations.md").read_text().splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([A-Z][A-Z_]+)`", row.split("|")[1])}
    assert named == read
