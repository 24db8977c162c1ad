"""Minutes of mixed load on an installation of its own, with two API processes killed in the middle: `make soak`."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

import argon2

from backend.clock import DAY, MINUTE
from backend.store import sql
from jobs import training
from tests import small_world
from tests.databases import Databases
from tests.soak import course
from tests.soak.load import STEP, STEP_SECONDS

PASSWORD = "the password of each soak account"
DAYS_MORE = 3


def main() -> int:
    """The command line. Its status says whether all was well."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("minutes", nargs="?", type=float, default=10)
    seconds = parser.parse_args().minutes * MINUTE
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing is left behind
    days = int(seconds / STEP_SECONDS * STEP / DAY) + DAYS_MORE
    with tempfile.TemporaryDirectory(prefix="pushback-soak-") as folder:
        settings = Databases().create(Path(folder) / "home")
        engine = sql.open_engine(settings.database_url)
        until = small_world.fill(engine)
        engine.dispose()
        training.run(settings, {"actor": "soak"}, lambda *_: None, lambda _: None)
        feed = small_world.facts_after(until, days)
        secret = PASSWORD, argon2.PasswordHasher().hash(PASSWORD)
        found = course.run(settings, until, feed, secret, seconds)
    print(course.report(found))
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
