"""How much is sent, by the command line of pytest: `make fuzz ARGS="--examples 500 --seed 7"`."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options that say how much, and from what seed."""
    group = parser.getgroup("fuzz")
    group.addoption("--examples", type=int, default=0, help="random requests for each call and role; 0: a small budget")
    group.addoption("--seed", type=int, default=0, help="another seed sends other requests; 0: always the same ones")
