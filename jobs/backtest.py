"""Replays history under retraining policies and says how good the answers would have been, and at what cost.

Works on the research store, which holds the whole year and is filled at the first back-test. `--policy monthly` alone
trains at the beginning of each month on every label that was final by then, and asks about each of its flights at one
lead time, with the schedule-only baseline beside it. Any other list of policies is replayed night by night
(docs/policies.md), and what is found is stored for GET /policies too.
"""

import argparse
import csv
import json
import re
import sys
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from backend import clock
from backend import settings as settings_module
from backend.flights import features
from backend.model import backtest, dataset, policies, train
from backend.model.dataset import World
from backend.settings import Settings
from backend.store import migrate, sql
from backend.store import policies as store
from jobs import policies as lab
from jobs import research

SEED = 20130401
COLUMNS = ("date", "carrier", "flight", "origin", "as_of", "probability")

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Row = dict[str, Any]


def lead_seconds(text: str) -> int:
    """Seconds of a lead time like 2h or 30min. Raises ArgumentTypeError for anything else or more than 24 h."""
    match = re.fullmatch(r"(\d+)(h|min)", text)
    seconds = int(match[1]) * (clock.HOUR if match[2] == "h" else clock.MINUTE) if match else -1
    if not 0 <= seconds <= features.LONGEST_LEAD:
        raise argparse.ArgumentTypeError(f"{text!r} is no lead time from 0min to 24h, like 2h or 30min")
    return seconds


def month_name(text: str) -> str:
    """A month as YYYY-MM. Raises ArgumentTypeError for anything else."""
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no month like 2013-04")
    return text


def policy_names(text: str) -> list[str]:
    """Policies as names with commas. Raises ArgumentTypeError for what is none, or one named twice."""
    names = text.split(",")
    try:
        named = {policies.parse(name) for name in names}
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if len(named) < len(names):
        raise argparse.ArgumentTypeError(f"{text!r} names a policy twice")
    return names


def rows_of(here: World, positions: Ints, lead: int, probability: Floats) -> list[Row]:
    """One row a flight: date (local at the origin), carrier, flight, origin, as_of, probability."""
    names = list(here.facts.flights)
    as_of = here.flights.departure[positions] - lead
    rows = []
    for position, moment, said in zip(positions.tolist(), as_of.tolist(), probability.tolist(), strict=True):
        date, carrier, number, origin = names[position].split(".")
        row = {"date": date, "carrier": carrier, "flight": number, "origin": origin}
        rows.append(row | {"as_of": clock.iso(moment), "probability": repr(said)})
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0, or 1 where the store lacks what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m jobs.backtest", description=__doc__)
    parser.add_argument(
        "--policy",
        type=policy_names,
        default="monthly",
        metavar="NAME,…",
        help="never, monthly, window:90d, drift, performance, evidence, evidence:refit",
    )
    parser.add_argument(
        "--lead",
        type=lead_seconds,
        default="2h",
        help="how long before departure monthly alone is asked, like 2h or 30min",
    )
    parser.add_argument("--from", dest="first", type=month_name, default="2013-04", metavar="YYYY-MM")
    parser.add_argument("--to", dest="last", type=month_name, default="2013-09", metavar="YYYY-MM")
    parser.add_argument("--json", type=Path, help="write the months' figures and their mean there")
    parser.add_argument("--predictions", type=Path, help="write one row a flight (and policy) there, as CSV")
    parser.add_argument("--threads", type=int, help="of the pool in this process (default: one for each core)")
    parser.add_argument("--draws", type=int, choices=(1, 2, 3), default=1, help="lead times a flight in the lab's fits")
    parser.add_argument("--trees", type=int, help="of each fit in the lab (default: the model's own number)")
    options = parser.parse_args(arguments)
    alone = options.policy == ["monthly"]
    if not alone and options.lead != dataset.HEADLINE_LEAD:
        parser.error("--lead goes with --policy monthly alone: the lab asks half an hour, 2, 6 and 24 hours before")
    settings = settings_module.load()
    try:
        said, rows = (_monthly if alone else _lab)(settings, options)
    except ValueError as error:
        print(f"The back-test ended: {error}", file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(said, indent=1))
    if options.predictions:
        with options.predictions.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, COLUMNS if alone else ("policy", *COLUMNS))
            writer.writeheader()
            writer.writerows(rows)
    return 0


def _monthly(settings: Settings, options: argparse.Namespace) -> tuple[dict[str, Any], Iterable[Row]]:
    """Each month predicted by what was known before it, as it goes. Returns the figures and a row a flight."""
    here = research.load(settings)
    print(f"{'month':8}{'flights':>9}{'disrupted':>11}{'AUC':>8}{'Brier':>8}{'cal.err':>9}", end="")
    print(f"{'base AUC':>11}{'base Brier':>11}")
    months: list[dict[str, Any]] = []
    rows: list[Row] = []
    names = backtest.months_between(options.first, options.last)
    with tqdm(total=len(names), unit=" months", leave=False) as bar:
        for month in backtest.monthly(here, names, options.lead, SEED, bar.set_postfix_str):
            said = backtest.figures(here, month)
            months.append(said)
            bar.update()
            tqdm.write(_line(said), file=sys.stdout)
            if options.predictions:
                rows += rows_of(here, month.positions, options.lead, month.probability)
    mean = {name: float(np.mean([month[name] for month in months])) for name in ("auc", "brier", "calibration_error")}
    baseline = {name: float(np.mean([month["baseline"][name] for month in months])) for name in mean}
    flights = sum(month["flights"] for month in months)
    rate = sum(month["base_rate"] * month["flights"] for month in months) / flights
    print(_line({"month": "mean", "flights": flights, "base_rate": rate, **mean, "baseline": baseline}))
    about = {"policy": "monthly", "lead_minutes": options.lead // clock.MINUTE}
    return about | {"months": months, "mean": mean, "baseline_mean": baseline}, rows


def _lab(settings: Settings, options: argparse.Namespace) -> tuple[dict[str, Any], Iterable[Row]]:
    """The policies replayed, stored, and their table printed. Returns the figures, and a row a flight and policy."""
    here, engine = research.load(settings), sql.open_engine(settings.database_url)
    migrate.upgrade(engine)
    parameters = dict(train.PARAMETERS) | ({} if options.trees is None else {"num_iterations": options.trees})
    asked = lab.Replay(options.policy, options.first, options.last, parameters, options.draws)
    with tqdm(total=1.0, bar_format="{desc:<48} {percentage:3.0f}% {elapsed}") as bar:

        def progress(fraction: float, message: str) -> None:
            bar.set_description_str(message)
            bar.n = fraction
            bar.refresh()

        found = lab.replayed(settings, here, asked, progress, options.threads)
        progress(1.0, "All replayed")
    identity = str(uuid.uuid4())
    with sql.writing(engine) as connection:
        store.record(connection, identity, clock.wall(), "command line", (options.first, options.last), found.said)
    print(lab.table(found.said))
    rows = (
        {"policy": name, **row}
        for name, probability in found.probability.items()
        for row in rows_of(here, found.positions, dataset.HEADLINE_LEAD, probability)
    )
    return {"backtest": identity, "policies": found.said}, rows


def _line(said: dict[str, Any]) -> str:
    baseline = said["baseline"]
    return (
        f"{said['month']:8}{said['flights']:>9,}{said['base_rate']:>11.1%}{said['auc']:>8.4f}{said['brier']:>8.4f}"
        f"{said['calibration_error']:>9.4f}{baseline['auc']:>11.4f}{baseline['brier']:>11.4f}"
    )


if __name__ == "__main__":
    sys.exit(main())
