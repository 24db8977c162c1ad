"""Replays history under a retraining policy and says how well each month would have been predicted.

Works on the research store, which holds the whole year and is filled at the first back-test. `monthly` trains at the
beginning of each month on every label that was final by then, and asks about each of its flights at one lead time.
"""

import argparse
import csv
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from backend import clock
from backend import settings as settings_module
from backend.flights import features
from backend.model import backtest, dataset
from backend.model.dataset import World
from backend.settings import Settings
from backend.store import events as log
from backend.store import migrate, sql
from jobs import ingest

SEED = 20130401
ALL_TIME = 1 << 33


def load_research(settings: Settings) -> World:
    """The whole research store, which is filled from the embedded source where it is empty."""
    engine = sql.open_engine(settings.research_url)
    migrate.upgrade(engine)
    with engine.connect() as connection:
        empty = log.data_clock(connection) is None
    if empty:
        print("The research store is empty: filling it with the whole year.", file=sys.stderr)
        until = ingest.cut(ingest.AFTER_THE_YEAR)
        print(ingest.ingest(engine, ingest.packaged(until), until), file=sys.stderr)
    with engine.connect() as connection:
        return dataset.load(connection, ALL_TIME)


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


def rows_of(here: World, month: backtest.Month, lead: int) -> list[dict[str, Any]]:
    """One row a flight: date (local at the origin), carrier, flight, origin, as_of, probability."""
    names = list(here.facts.flights)
    as_of = here.flights.departure[month.positions] - lead
    rows = []
    for position, moment, probability in zip(
        month.positions.tolist(), as_of.tolist(), month.probability.tolist(), strict=True
    ):
        date, carrier, number, origin = names[position].split(".")
        row = {"date": date, "carrier": carrier, "flight": number, "origin": origin}
        rows.append(row | {"as_of": clock.iso(moment), "probability": repr(probability)})
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0, or 1 where the store lacks what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m jobs.backtest", description=__doc__)
    parser.add_argument("--policy", choices=("monthly",), default="monthly")
    parser.add_argument("--lead", type=lead_seconds, default="2h", help="how long before departure, like 2h or 30min")
    parser.add_argument("--from", dest="first", type=month_name, default="2013-04", metavar="YYYY-MM")
    parser.add_argument("--to", dest="last", type=month_name, default="2013-09", metavar="YYYY-MM")
    parser.add_argument("--json", type=Path, help="write the months' figures and their mean there")
    parser.add_argument("--predictions", type=Path, help="write one row a flight there, as CSV")
    options = parser.parse_args(arguments)
    here = load_research(settings_module.load())
    print(f"{'month':8}{'flights':>9}{'disrupted':>11}{'AUC':>8}{'Brier':>8}{'cal.err':>9}", end="")
    print(f"{'base AUC':>11}{'base Brier':>11}")
    months, rows = [], []
    try:
        names = backtest.months_between(options.first, options.last)
        with tqdm(total=len(names), unit=" months", leave=False) as bar:
            for month in backtest.monthly(here, names, options.lead, SEED, bar.set_postfix_str):
                said = backtest.figures(here, month)
                months.append(said)
                bar.update()
                tqdm.write(_line(said), file=sys.stdout)
                if options.predictions:
                    rows += rows_of(here, month, options.lead)
    except ValueError as error:
        print(f"The back-test ended: {error}", file=sys.stderr)
        return 1
    mean = {name: float(np.mean([month[name] for month in months])) for name in ("auc", "brier", "calibration_error")}
    baseline = {name: float(np.mean([month["baseline"][name] for month in months])) for name in mean}
    flights = sum(month["flights"] for month in months)
    rate = sum(month["base_rate"] * month["flights"] for month in months) / flights
    print(_line({"month": "mean", "flights": flights, "base_rate": rate, **mean, "baseline": baseline}))
    if options.json:
        said = {"policy": options.policy, "lead_minutes": options.lead // clock.MINUTE, "months": months}
        options.json.write_text(json.dumps(said | {"mean": mean, "baseline_mean": baseline}, indent=1))
    if options.predictions:
        with options.predictions.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, ["date", "carrier", "flight", "origin", "as_of", "probability"])
            writer.writeheader()
            writer.writerows(rows)
    return 0


def _line(said: dict[str, Any]) -> str:
    baseline = said["baseline"]
    return (
        f"{said['month']:8}{said['flights']:>9,}{said['base_rate']:>11.1%}{said['auc']:>8.4f}{said['brier']:>8.4f}"
        f"{said['calibration_error']:>9.4f}{baseline['auc']:>11.4f}{baseline['brier']:>11.4f}"
    )


if __name__ == "__main__":
    sys.exit(main())
