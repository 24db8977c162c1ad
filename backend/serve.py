"""Starts the API as production does: `python -m backend.serve`, followed by gunicorn's options where there is need.

It listens on PUSHBACK_HOST and API_PORT (or PORT); the rest stands in backend/gunicorn_config.py.
"""

import ctypes
import sys

from gunicorn.app.wsgiapp import WSGIApplication

# glibc's mallopt: how many arenas a process has at most. By default each thread gets one of its own, and what history
# took in one while it was made anew stays there, out of reach of the others.
_M_ARENA_MAX, ARENAS = -8, 1


def main() -> None:
    """Serves until a signal ends it."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(_M_ARENA_MAX, ARENAS)
    sys.argv = [sys.argv[0], "--config", "python:backend.gunicorn_config", *sys.argv[1:]]
    WSGIApplication("%(prog)s [OPTIONS]", prog="python -m backend.serve").run()


if __name__ == "__main__":
    main()
