"""The job of a batch, which takes its time: a few rows at once, and a rest after each."""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from backend.settings import Settings
from jobs import batch
from jobs.files import table

ROWS = 20
tidy = batch.tidy


def run(
    settings: Settings,
    params: dict[str, Any],
    progress: Callable[[float, str], None],
    fence: Callable[[Connection], None],
) -> dict[str, Any]:
    """The same as `batch.run`."""
    table.CHUNK_ROWS = ROWS

    def slowly(fraction: float, message: str) -> None:
        time.sleep(0.2)
        progress(fraction, message)

    return batch.run(settings, params, slowly, fence)
