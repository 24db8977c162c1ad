"""A small job for the worker's tests: counts slowly, and writes each number into a file under its fence."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from backend.settings import Settings
from backend.store import sql


def run(
    settings: Settings,
    params: dict[str, Any],
    progress: Callable[[float, str], None],
    fence: Callable[[Connection], None],
) -> dict[str, Any]:
    """Counts to `until`, one a tenth of a second. `fail` is what to say instead; `exit` ends the thread."""
    if "fail" in params:
        raise ValueError(params["fail"])
    if "crash" in params:
        raise KeyError(params["crash"])
    if "exit" in params:
        raise SystemExit(1)
    engine = sql.open_engine(settings.database_url)
    for number in range(params["until"]):
        time.sleep(0.1)
        progress(number / params["until"], f"at {number}")
        with sql.writing(engine) as connection:
            fence(connection)
            with Path(params["file"]).open("a", encoding="utf-8") as file:
                file.write(f"{params['name']} {number}\n")
    return {"counted": params["until"]}
