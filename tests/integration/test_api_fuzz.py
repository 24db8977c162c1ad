"""Requests made from the OpenAPI document, by every role and by nobody: each answer is one that the document says.

All of schemathesis' checks, over the whole document: a fixed little of it by the roles in turn, and with `make fuzz`
much more of it by each alone. See tests/fuzz.
"""

import pytest

from backend import accounts
from tests.conftest import World
from tests.fuzz import run
from tests.fuzz.door import WORD, Door
from tests.fuzz.run import NOBODY, Budget

IN_TURN = "all in turn"
LITTLE = Budget(examples=1, edges=True, stateful=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`make fuzz` has a test for each role, and one for nobody."""
    alone = [*accounts.ROLES, NOBODY] if metafunc.config.getoption("examples", 0) else [IN_TURN]
    metafunc.parametrize("who", alone)


@pytest.mark.sqlite("what PostgreSQL takes otherwise has tests of its own, which cost less")
def test_each_answer_is_one_that_the_document_says(
    world_copy: World, who: str, password_hash: str, pytestconfig: pytest.Config
) -> None:
    examples, seed = pytestconfig.getoption("examples", 0), pytestconfig.getoption("seed", 0) or run.SEED
    budget = Budget(examples, edges=True, stateful=True) if examples else LITTLE
    app = Door(world_copy.settings, accounts.ROLES if who == IN_TURN else [who], password_hash)
    report = run.run(app, {} if who == NOBODY else {"Authorization": WORD}, budget, seed)
    print(f"{who}: {report}")
    assert not report.failures, report.words()
    assert not app.strangers
    assert len(report.cases) > 30 and not report.statuses[500]
