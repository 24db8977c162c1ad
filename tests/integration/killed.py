"""A process that changes what serves, or trains, and is killed (SIGKILL) just before a named write.

`python -m tests.integration.killed promote|train module:function NUMBER`: before that function's NUMBER-th call.
"""

import importlib
import os
import signal
import sys
from typing import Any

from backend import settings as settings_module
from backend.model import aliases, registry
from backend.settings import Settings
from backend.store import ledger, sql
from backend.store.blobs import Blobs
from tests.integration import rivals


def kill_before(place: str, number: int) -> None:
    """Let the NUMBER-th call of `module:function` be the last thing that this process does."""
    module_name, name = place.split(":")
    module = importlib.import_module(module_name)
    whole, calls = getattr(module, name), [0]

    def counted(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*arguments, **named)

    setattr(module, name, counted)


def promote(settings: Settings) -> None:
    """What POST /models/2/promote and the job after it do."""
    engine = sql.open_engine(settings.database_url)
    with sql.writing(engine) as connection:
        trained = ledger.training_of(connection, 2)
        assert trained is not None
        registry.promote(connection, Blobs(settings.blobs), trained, "operator", "for this test", 1, None)
    aliases.mirror(settings, engine)


if __name__ == "__main__":
    installed = settings_module.load()
    kill_before(sys.argv[2], int(sys.argv[3]))
    if sys.argv[1] == "promote":
        promote(installed)
    else:
        rivals.train_version(installed)
