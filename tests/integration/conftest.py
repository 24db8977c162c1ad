"""What the tests of the serving side share."""

import pytest

from tests.conftest import World
from tests.integration.served import Served


@pytest.fixture(name="served", scope="session")
def make_served(world: World, password_hash: str) -> Served:
    """The API over the world that is only read."""
    return Served.over(world, password_hash)
