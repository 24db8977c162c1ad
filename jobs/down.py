"""Stops the Pushback that runs on this state folder, wherever it was started (`make down`). What it knows stays."""

import argparse
import sys
import time

import psutil

from backend import settings
from jobs.launch import instance

PATIENCE_SECONDS = 30


def main() -> int:
    """Returns 0 when nothing runs any more."""
    argparse.ArgumentParser(prog="python -m jobs.down", description=__doc__).parse_args()
    home = settings.load().home
    if not instance.is_locked(home) and not instance.processes_of(home):
        print(f"Nothing runs on {home}.")
        return 0
    launcher = instance.launcher_of(home)
    if launcher:
        print(f"Stopping Pushback on {home} (process {launcher.pid}) ...", flush=True)
        launcher.terminate()
        psutil.wait_procs([launcher], timeout=PATIENCE_SECONDS)
    instance.end(instance.processes_of(home), patience_seconds=5)
    until = time.monotonic() + PATIENCE_SECONDS
    while instance.is_locked(home) and time.monotonic() < until:
        time.sleep(0.1)
    if instance.is_locked(home):
        print(f"Something still holds {home / 'lock'}: end the program that has it open.", file=sys.stderr)
        return 1
    (home / "up.pid").unlink(missing_ok=True)
    print(f"Stopped. What Pushback knows stays in {home}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
