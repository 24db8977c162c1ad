"""Walk-forward back-test: each month predicted by a model that was trained on the labels that were final before it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from backend import clock
from backend.model import dataset, evaluate, train
from backend.model.dataset import World

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class Month:
    """One month's answers: positions of its flights in the world, and probabilities of shape (n,), with the
    schedule-only baseline's beside them. `trained_on` is how many flights the model learned from."""

    name: str
    positions: Ints
    probability: Floats
    baseline: Floats
    trained_on: int


def months_between(first: str, last: str) -> list[str]:
    """YYYY-MM from `first` to `last`, both included. Raises ValueError for what is no month, or the wrong order."""
    begin, end = (datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC) for month in (first, last))
    if begin > end:
        raise ValueError(f"{first} comes after {last}")
    count = (end.year - begin.year) * 12 + end.month - begin.month + 1
    years_months = [divmod(begin.year * 12 + begin.month - 1 + step, 12) for step in range(count)]
    return [f"{year}-{month + 1:02d}" for year, month in years_months]


def start_of(month: str) -> int:
    """When that month began in New York, in epoch seconds."""
    year, number = (int(part) for part in month.split("-"))
    return clock.to_epoch(datetime(year, number, 1, tzinfo=NEW_YORK))


def start_after(month: str) -> int:
    """When the next month began in New York, in epoch seconds."""
    year, number = divmod(int(month[:4]) * 12 + int(month[5:]), 12)
    return start_of(f"{year}-{number + 1:02d}")


def month_of(moment: int) -> str:
    """The month, YYYY-MM, that it was in New York."""
    return clock.from_epoch(moment).astimezone(NEW_YORK).strftime("%Y-%m")


def midnights(month: str) -> list[int]:
    """Each midnight of that month in New York, the first of them its start, in epoch seconds."""
    day = clock.from_epoch(start_of(month)).astimezone(NEW_YORK).replace(tzinfo=None)
    nights = []
    while day.strftime("%Y-%m") == month:
        nights.append(clock.to_epoch(day.replace(tzinfo=NEW_YORK)))
        day += timedelta(days=1)
    return nights


def monthly(here: World, months: list[str], lead: int, seed: int, progress: Callable[[str], None]) -> Iterator[Month]:
    """Each month in turn, asked about `lead` seconds before departure, with all the labels final before it.

    Raises ValueError for a month without flights, or without enough labels before it.
    """
    for month in months:
        begin, end = start_of(month), start_after(month)
        learned = here.labelled(begin)
        departure = here.flights.departure
        asked = np.flatnonzero((departure >= begin) & (departure < end) & (here.disrupted >= 0))
        if len(asked) == 0:
            raise ValueError(f"the research store holds no flights with an outcome in {month}")
        if len(learned) < train.FEWEST_FLIGHTS:
            raise ValueError(f"only {len(learned)} flights had a final label before {month}")
        progress(f"{month}: fitting on {len(learned):,} flights")
        rows, labels = dataset.training_rows(here, learned, np.random.default_rng(seed))
        model, baseline = train.fit(rows, labels, seed), train.fit_baseline(rows, labels)
        del rows
        questions = dataset.rows_at(here, asked, lead)
        answers = model.probability(questions), train.baseline_probability(baseline, questions)
        yield Month(month, asked, *answers, len(learned))


def figures(here: World, month: Month) -> dict[str, Any]:
    """`month`, `flights`, `auc`, `brier` and more of one month, with the baseline's."""
    truth = here.disrupted[month.positions]
    model, baseline = evaluate.metrics(truth, month.probability), evaluate.metrics(truth, month.baseline)
    return {
        "month": month.name,
        "flights": len(truth),
        **model,
        "base_rate": float(truth.mean()),
        "trained_on": month.trained_on,
        "baseline": baseline,
    }
