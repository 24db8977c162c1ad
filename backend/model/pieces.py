"""The pieces of the lab's work: each is a pure function that may run on any machine, once, for every policy.

Features are made by month; whatever is fitted or asked about picks its flights out of months.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from backend.clock import HOUR
from backend.flights import features
from backend.model import dataset, policies, recipe, train
from backend.model.dataset import World
from backend.model.policies import Shape
from backend.model.snapshot import HEADLINE_HOURS, LEADS_HOURS
from backend.model.train import Fitted

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Learned(NamedTuple):
    """Which flights a model learns from: of those with a label that was final and known at `until`, the ones that
    departed from `since` to `last`, all in epoch seconds."""

    since: int
    until: int
    last: int


class Month(NamedTuple):
    """The flights of a month: departure, when their outcome was known, and whether they were disrupted (-1: nobody
    knows), each of shape (n,); and their features, of shape (times, n, f), at each time that they were asked about."""

    departure: Ints
    known_at: Ints
    disrupted: Ints
    rows: Floats

    def learned(self, which: Learned) -> Bools:
        """Which of the flights are those: shape (n,)."""
        final = dataset.final(self.departure, self.known_at, self.disrupted, which.until)
        return np.asarray(final & (self.departure >= which.since) & (self.departure <= which.last))


class Trees(NamedTuple):
    """Trees without calibration, how often what they learned from was disrupted, and what the fit took."""

    fitted: Fitted
    usual: float
    rows: int
    cpu_seconds: float


class Model(NamedTuple):
    """What can serve, its Brier skill when it was trained (of its rehearsal), and what that took in all."""

    fitted: Fitted
    skill: float
    cpu_seconds: float


def drawn(here: World, positions: Ints, draws: int, seed: int) -> Month:
    """The month of those flights asked about as a model learns of them: each at so many of its dataset.draw_leads."""
    rng = np.random.default_rng([seed, int(here.flights.departure[positions[0]])])
    leads = np.stack(dataset.draw_leads(len(positions), rng))
    return _month(here, positions, list(rng.permuted(leads, axis=0)[:draws]))


def asked(here: World, positions: Ints) -> Month:
    """The month of those flights asked about at LEADS_HOURS."""
    return _month(here, positions, [np.full(len(positions), int(hours * HOUR)) for hours in LEADS_HOURS])


def _month(here: World, positions: Ints, leads: Sequence[Ints]) -> Month:
    flights = here.flights.take(positions)
    rows = np.empty((len(leads), len(positions), len(features.names())))
    for place, lead in enumerate(leads):
        rows[place] = features.build(flights, flights.departure - lead, here.history)
    return Month(flights.departure, here.outcome_known_at[positions], here.disrupted[positions], rows)


def trees(months: Sequence[Month], which: Learned, seed: int, parameters: Mapping[str, Any]) -> Trees:
    """The trees of those flights, out of `drawn` months. Raises ValueError where all of them ended alike.

    One thread, so that the CPU time is the fit's alone, and the machine is filled by fitting several at once.
    """
    began = time.thread_time()
    masks = [month.learned(which) for month in months]
    draws, count = len(months[0].rows), sum(int(mask.sum()) for mask in masks)
    rows, filled = np.empty((draws * count, months[0].rows.shape[-1])), 0
    labels = np.empty(draws * count, np.int64)
    for month, mask in zip(months, masks, strict=True):
        for draw in month.rows:
            until = filled + int(mask.sum())
            np.compress(mask, draw, axis=0, out=rows[filled:until])
            labels[filled:until] = month.disrupted[mask]
            filled = until
    fitted = train.fit(rows, labels, seed, {**parameters, "num_threads": 1})
    return Trees(fitted, float(labels.mean()), len(rows), time.thread_time() - began)


def calibrated(rehearsal: Trees, final: Trees, months: Sequence[Month], newest: Learned) -> Model:
    """The final trees with the calibration of their rehearsal, which had not seen the newest flights (`asked` months).

    Raises ValueError where all of these ended alike.
    """
    began = time.thread_time()
    masks = [month.learned(newest) for month in months]
    departure, truth = (
        np.concatenate([getattr(month, name)[mask] for month, mask in zip(months, masks, strict=True)])
        for name in ("departure", "disrupted")
    )
    if len(np.unique(truth)) < 2:
        raise ValueError(f"the {len(truth):,} flights to calibrate on ended all alike: choose a longer time")
    raw = {
        hours: np.concatenate(
            [rehearsal.fitted.raw_log_odds(month.rows[place][mask]) for month, mask in zip(months, masks, strict=True)]
        )
        for place, hours in enumerate(LEADS_HOURS)
    }
    calibration, by_lead = recipe.calibrated(departure, truth, raw, rehearsal.usual)
    skill = policies.skill(np.tile(truth, len(LEADS_HOURS)), np.concatenate(list(by_lead.values())))
    took = rehearsal.cpu_seconds + final.cpu_seconds + time.thread_time() - began
    return Model(replace(final.fitted, calibration=calibration), skill, took)


def answers(model: Model, month: Month) -> Floats:
    """The probabilities of an `asked` month at LEADS_HOURS: shape (leads, n)."""
    return np.stack([model.fitted.probability(rows) for rows in month.rows])


HEADLINE = LEADS_HOURS.index(HEADLINE_HOURS)


def reference(months: Sequence[Month], newest: Learned) -> Shape:
    """The shape of the newest flights that a model learned from, two hours before departure (`asked` months)."""
    return policies.shape_of(np.concatenate([month.rows[HEADLINE][month.learned(newest)] for month in months]))


def distances(known: Shape, months: Sequence[Month], since: int, until: int) -> Floats:
    """How far each feature has moved from there, in the questions asked two hours before departure between two
    moments (`asked` months): shape (f,)."""
    when = [month.departure - HEADLINE_HOURS * HOUR for month in months]
    rows = [month.rows[HEADLINE][(at >= since) & (at < until)] for month, at in zip(months, when, strict=True)]
    together = np.concatenate(rows)
    return policies.moved(known, policies.shape_of(together)) if len(together) else np.zeros(known.deviation.shape)
