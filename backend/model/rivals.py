"""Models on which the gate is tried: equal ones, and ones that are worse by a given AUC, asked about real days."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from backend.clock import HOUR
from backend.model import backtest, dataset, figures, train
from backend.model.dataset import World
from backend.model.snapshot import LEADS_HOURS
from backend.model.train import Fitted

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.str_]
Progress = Callable[[str], None]
Answer = Callable[[Floats], Floats]  # features of shape (n, f) to probabilities of shape (n,)

QUARTERS = (("2013-04", "2013-06"), ("2013-07", "2013-09"), ("2013-10", "2013-12"))
HALVES = (("half 1a", "half 1b"), ("half 2a", "half 2b"))
SEEDS = ("seed 1", "seed 2")
CALIBRATED_ON = 28  # days, the newest that a model did not learn from


class Asked(NamedTuple):
    """Questions of whole days, by day: arrays of shape (n,). `day` counts the days that have questions, from 0;
    `answers` are the probabilities of each model by name, and `slices` labels as `promotion.judge` takes them."""

    day: Ints
    flight: Ints
    truth: Ints
    slices: dict[str, Labels]
    answers: dict[str, Floats]


def ask(here: World, seed: int, progress: Progress) -> Asked:
    """Every flight of QUARTERS asked about at LEADS_HOURS by models that learned from what was final at the start of
    its quarter.

    HALVES have the recipe in common and learned from a random half of the days each, `1a` and `1b` from opposite
    ones; SEEDS learned from every second flight and differ in their seed alone. `january` learned from January only,
    and `schedule` is the baseline.
    """
    rng = np.random.default_rng(seed)
    parts: list[Asked] = []
    begin, end = backtest.start_of(QUARTERS[0][0]), backtest.start_of("2013-02")
    learned = here.labelled(begin)
    january = _fitted(here, learned[here.flights.departure[learned] < end], learned, rng)
    for first, last in QUARTERS:
        begin, end = backtest.start_of(first), backtest.start_after(last)
        models = {"january": january.probability} | _models(here, here.labelled(begin), rng, progress)
        departure = here.flights.departure
        asked = np.flatnonzero((departure >= begin) & (departure < end) & (here.disrupted >= 0))
        for lead in LEADS_HOURS:
            progress(f"{first} to {last}: asking {len(models)} models {lead:g} h before departure")
            rows = dataset.rows_at(here, asked, int(lead * HOUR))
            answers = {name: probability(rows) for name, probability in models.items()}
            slices = {**figures.groups(here, asked), "lead": np.full(len(asked), f"{lead:g} h")}
            parts.append(Asked(figures.days(here, asked), asked, here.disrupted[asked], slices, answers))
    return _by_day(parts)


def _models(here: World, learned: Ints, rng: np.random.Generator, progress: Progress) -> dict[str, Answer]:
    models: dict[str, Answer] = {}
    day = figures.days(here, learned)
    for first, second in HALVES:
        days = rng.permutation(np.unique(day))
        mine = np.isin(day, days[: len(days) // 2])
        for name, half in ((first, mine), (second, ~mine)):
            progress(f"Fitting {name} on {half.sum():,} flights")
            models[name] = _fitted(here, learned[half], learned[~half], rng).probability
    some, others = learned[::2], learned[1::2]
    for name in SEEDS:
        progress(f"Fitting {name} on {len(some):,} flights")
        models[name] = _fitted(here, some, others, rng).probability
    rows, labels = dataset.training_rows(here, some, rng)
    baseline = train.fit_baseline(rows, labels)
    models["schedule"] = lambda rows: train.baseline_probability(baseline, rows)
    return models


def _fitted(here: World, positions: Ints, others: Ints, rng: np.random.Generator) -> Fitted:
    """The recipe fitted to those flights, and calibrated on the newest days of the others."""
    rows, labels = dataset.training_rows(here, positions, rng)
    fitted = train.fit(rows, labels, int(rng.integers(1 << 30)))
    day = figures.days(here, others)
    newest = others[np.isin(day, np.unique(day)[-CALIBRATED_ON:])]
    raw = np.concatenate([fitted.raw_log_odds(dataset.rows_at(here, newest, int(lead * HOUR))) for lead in LEADS_HOURS])
    lead_days = np.repeat(np.array(LEADS_HOURS) / 24, len(newest))
    truth = np.tile(here.disrupted[newest], len(LEADS_HOURS))
    calibration = train.fit_calibration(raw, lead_days, truth, float(labels.mean()))
    return replace(fitted, calibration=calibration)


def _by_day(parts: list[Asked]) -> Asked:
    day = np.concatenate([part.day for part in parts])
    order = np.argsort(day, kind="stable")

    def joined(arrays: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        return np.concatenate(arrays)[order]

    return Asked(
        np.unique(day[order], return_inverse=True)[1],
        joined([part.flight for part in parts]),
        joined([part.truth for part in parts]),
        {name: joined([part.slices[name] for part in parts]) for name in parts[0].slices},
        {name: joined([part.answers[name] for part in parts]) for name in parts[0].answers},
    )
