"""Starts the API as production does: `python -m backend.serve`, followed by gunicorn's options where there is need.

It listens on PUSHBACK_HOST and API_PORT (or PORT); the rest stands in backend/gunicorn_config.py.
"""

import sys

from gunicorn.app.wsgiapp import WSGIApplication


def main() -> None:
    """Serves until a signal ends it."""
    sys.argv = [sys.argv[0], "--config", "python:backend.gunicorn_config", *sys.argv[1:]]
    WSGIApplication("%(prog)s [OPTIONS]", prog="python -m backend.serve").run()


if __name__ == "__main__":
    main()
