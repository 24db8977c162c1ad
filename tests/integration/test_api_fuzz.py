"""Requests made from the OpenAPI document, by every role and by nobody: each answer is one that the document says.

All of schemathesis' checks, over the whole document. `make fuzz` sends more: see tests/fuzz.
"""

import pytest

from backend import accounts
from tests.conftest import World
from tests.fuzz import run
from tests.fuzz.door import WORD, Door
from tests.fuzz.run import NOBODY, Budget

# Whom most is open to, and whom nothing is: the others are refused in the same way as these, and allowed less.
THOROUGH = Budget(examples=3, edges=True, stateful=True)
BRIEF = Budget(examples=2, edges=False, stateful=False)


def fuzz(world: World, role: str, password_hash: str, usual: Budget, config: pytest.Config) -> None:
    more = config.getoption("examples", 0)
    budget = Budget(more, edges=True, stateful=True) if more else usual
    app = Door(world.settings, role, password_hash)
    headers = {} if role == NOBODY else {"Authorization": WORD}
    report = run.run(app, headers, budget, config.getoption("seed", 0) or run.SEED)
    print(f"{role}: {report}")
    assert not report.failures, report.words()
    assert len(report.cases) > 30 and not report.statuses[500]


@pytest.mark.sqlite("a minute is enough: the next test is for PostgreSQL too")
@pytest.mark.parametrize("role", [*accounts.ROLES, NOBODY])
def test_each_answer_is_one_that_the_document_says(
    world_copy: World, role: str, password_hash: str, pytestconfig: pytest.Config
) -> None:
    fuzz(world_copy, role, password_hash, THOROUGH if role in ("admin", NOBODY) else BRIEF, pytestconfig)


def test_so_it_is_on_either_database(world_copy: World, password_hash: str, pytestconfig: pytest.Config) -> None:
    fuzz(world_copy, "admin", password_hash, BRIEF, pytestconfig)
