"""Replays history as if it were live: a client of the API, as an airline's system is.

It tells what became known, step by step of 15 minutes of data time, and asks about each flight 24 h, 6 h, 2 h and 30
minutes before its departure. It goes on where the server's clock stands, so it may be killed at any moment. Whether it
waits, and how fast it goes, stands in the settings `replay`.
"""

import argparse
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from datetime import date

from backend import settings as settings_module
from backend.monitoring import logs
from jobs import ingest
from jobs.feed import breaks, pace
from jobs.feed.client import Client, RefusedError
from jobs.feed.run import Replay
from jobs.feed.source import Source

UNTIL = "the first day that is not replayed, in New York (default: all of the year is)"
LAST_DAY = date(2014, 1, 4)  # nothing of the year becomes known later
FEEDER = "feeder"
TRY_AGAIN_SECONDS = 5.0

log = logging.getLogger("jobs.replay")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0 when it is done or was stopped, 1 where the server refuses it."""
    parser = argparse.ArgumentParser(prog="python -m jobs.replay", description=__doc__)
    parser.add_argument("--until", type=date.fromisoformat, default=LAST_DAY, metavar="YYYY-MM-DD", help=UNTIL)
    parser.add_argument("--speed", type=pace.speed, help="seconds of data in a second, or max (default: the settings)")
    parser.add_argument(
        "--break", dest="breaks", action="append", default=[], type=breaks.read, metavar="WHAT", help=breaks.HELP
    )
    parser.add_argument("--stay", action="store_true", help="wait at the end, instead of ending")
    parser.add_argument("--url", help="where the API is (default: this machine's)")
    parser.add_argument("--only", type=int, default=1, metavar="N", help="flights whose number N divides: a thin world")
    options = parser.parse_args(arguments)
    here = settings_module.load()
    logs.start("replay", here.log_level, here.log_folder)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    client = Client(options.url or here.api_url, FEEDER, here.secrets / "feeder-password", stop.is_set)
    holder = f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}"
    replay = Replay(client, Source(options.breaks, options.only), holder, pace.Pace(options.speed), stop)
    try:
        while True:
            try:
                replay.run(ingest.cut(options.until), [each.name for each in options.breaks], options.stay)
                break
            except RefusedError as error:
                if not options.stay:
                    print(error, file=sys.stderr)
                    return 1
                # One that stays may be let in again: a password that was changed comes back, or a rehearsal begins.
                log.warning("%s; trying again", error)
                time.sleep(TRY_AGAIN_SECONDS)
    except InterruptedError:
        log.info("stopped; the next one goes on from here")
    finally:
        replay.leave()
        client.close()
    print(replay.report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
