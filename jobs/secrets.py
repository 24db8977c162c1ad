"""Where the secrets of this installation are, and a new one in the place of one of them."""

import argparse
import sys
from collections.abc import Callable

from backend import settings, signing
from backend.settings import Settings

ABOUT = {
    signing.NAME: "signs tokens; the newest key signs, and the one before it still verifies",
    "ui-cookie-key": "signs the app's cookie",
    "ui-api-key": "lets the app vouch for its browsers' addresses",
    "admin-password": "the password of admin as it was made here; one that was set since stands nowhere",
    "feeder-password": "the same of feeder, the account of what sends observations",
    "alerts-password": "the same of alerts, the account of what posts alerts",
    "metrics-password": "the same of metrics, the account of what reads /metrics",
}


def main(words: list[str] | None = None) -> int:
    """Returns 0 when it is done, 1 if it could not be. Prints where secrets are, and never one of them."""
    parser = argparse.ArgumentParser(prog="python -m jobs.secrets", description=__doc__)
    parser.add_argument("--rotate", metavar="NAME", choices=sorted(ROTATE), help=f"one of {', '.join(ROTATE)}")
    name = parser.parse_args(words).rotate
    here = settings.load()
    try:
        print(_listing(here) if name is None else ROTATE[name](here))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _listing(here: Settings) -> str:
    rows = [f"The secrets of {here.home} are in {here.secrets}, one file each:"]
    for name, about in ABOUT.items():
        rows.append(f"  {name:16s} {'' if (here.secrets / name).exists() else '(not there yet) '}{about}")
    return "\n".join(rows)


def _jwt_key(here: Settings) -> str:
    signing.rotate(here)
    return (
        f"A new key signs from now on, in {here.secrets / signing.NAME}; no process needs a restart. Tokens of the key "
        "before it last until they end. To end those at once too, rotate a second time."
    )


ROTATE: dict[str, Callable[[Settings], str]] = {signing.NAME: _jwt_key}

if __name__ == "__main__":
    sys.exit(main())
