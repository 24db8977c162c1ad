"""Lets MLflow's aliases champion, challenger and previous follow what serves. It may run at any time, and again."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from backend import settings as settings_module
from backend.model import aliases
from backend.model.tracking import TrackingError
from backend.settings import Settings
from backend.store import migrate, sql

PATIENCE_SECONDS = 60  # a server that starts beside the worker takes twenty


def run(
    settings: Settings,
    _params: dict[str, Any],
    progress: Callable[[float, str], None],
    _fence: Callable[[Connection], None],
) -> dict[str, Any]:
    """Mirror once; returns the version of each role. Raises TrackingError where MLflow is away for a minute.

    It carries no fence: whoever writes last writes what `deployments` says.
    """
    engine = sql.open_engine(settings.database_url)
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        progress(0.0, "Letting MLflow's aliases follow what serves")
        try:
            return aliases.mirror(settings, engine)._asdict()
        except TrackingError:
            if time.monotonic() > end:
                raise
            time.sleep(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0, or 1 where MLflow cannot be used."""
    argparse.ArgumentParser(prog="python -m jobs.mirror", description=__doc__).parse_args(arguments)
    settings = settings_module.load()
    migrate.upgrade(sql.open_engine(settings.database_url))
    try:
        mirrored = run(settings, {}, lambda *_: None, lambda _: None)
    except TrackingError as error:
        print(f"The aliases stay as they are, and what serves serves: {error}", file=sys.stderr)
        return 1
    print(", ".join(f"{role}: {'none' if version is None else version}" for role, version in mirrored.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
