"""The policy lab: replays months under retraining policies, compares them, and stores what it found."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from backend import clock
from backend.model import backtest, pieces, policies, policy_figures, replay, train
from backend.model.dataset import World
from backend.model.lab import Lab, Recipe
from backend.model.policies import Policy
from backend.settings import Settings
from backend.store import policies as store
from backend.store import sql
from jobs import pool, research

Progress = Callable[[float, str], None]
Fence = Callable[[Connection], None]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Said = dict[str, Any]


class Replay(NamedTuple):
    """What to replay: policies by name, from a first month to a last one, with LightGBM's parameters for each fit,
    in which each flight is asked about at so many lead times."""

    names: Sequence[str]
    first: str
    last: str
    parameters: Mapping[str, Any] = train.PARAMETERS
    draws: int = 1


class Found(NamedTuple):
    """What a replay gave: figures of each policy (backend/model/policy_figures.py), and, by the policy's name, the
    probabilities (n,) that it had given two hours before departure of the flights at `positions`, shape (n,)."""

    said: list[Said]
    positions: Ints
    probability: dict[str, Floats]


def run(settings: Settings, params: dict[str, Any], progress: Progress, fence: Fence) -> Said:
    """Replay `params["policies"]` from the month `params["from"]` to `params["to"]`, and store what was found.

    `params["actor"]` is who asked, `params["job"]` the job's id: a job whose back-test is stored already replays
    nothing again. Returns the back-test's id and a line for each policy. Raises ValueError, in words, where a month is
    not in the store, nothing can be learned, or the cluster does not answer.
    """
    engine, identity = sql.open_engine(settings.database_url), params.get("job") or str(uuid.uuid4())
    with engine.connect() as connection:
        said = [row.said for row in store.of(connection, identity)]
    if not said:
        asked = Replay(params["policies"], params["from"], params["to"], params.get("parameters", train.PARAMETERS))
        progress(0.0, "Reading the research store")
        said = replayed(settings, research.load(settings), asked, progress).said
        with sql.writing(engine) as connection:
            fence(connection)
            months = (asked.first, asked.last)
            store.record(connection, identity, clock.wall(), params.get("actor", "policy lab"), months, said)
    return {"backtest": identity, "policies": [_short(one) for one in said]}


def replayed(settings: Settings, here: World, asked: Replay, progress: Progress, threads: int | None = None) -> Found:
    """What the replay gives, made on the cluster of the settings or on that many threads (default: one for each core).

    Raises ValueError as `run` does.
    """
    chosen, months = [policies.parse(name) for name in asked.names], backtest.months_between(asked.first, asked.last)
    steps, done = len(chosen) * len(months), 0

    def step(policy: Policy, month: str) -> None:
        nonlocal done
        done += 1
        progress(0.02 + 0.95 * done / steps, f"{policy.name} has got through {month}")

    with pool.workers(settings.dask_scheduler, threads) as client:
        lab = Lab(client, here, months, Recipe(parameters=asked.parameters, draws=asked.draws))
        progress(0.02, "Making features and first fits")
        replays = replay.run(lab, chosen, step)
        progress(0.97, "Comparing the policies")
        said = policy_figures.figures(lab, replays)
    headline = {one.policy.name: one.probability[pieces.HEADLINE] for one in replays}
    given = np.isfinite(headline[chosen[0].name])
    return Found(said, lab.questions.positions[given], {name: answers[given] for name, answers in headline.items()})


def table(said: Sequence[Said]) -> str:
    """The figures of each policy, and their differences, as lines for a person."""
    lines = [f"{'policy':16}{'AUC':>8}{'Brier':>8}{'cal.err':>9}{'trainings':>11}{'promotions':>12}{'CPU s':>8}"]
    for one in said:
        found = one["metrics"]
        lines.append(
            f"{one['policy']:16}{found['auc']:>8.4f}{found['brier']:>8.4f}{found['calibration_error']:>9.4f}"
            f"{one['trainings']:>11}{one['promotions']:>12}{one['cpu_seconds']:>8.0f}"
        )
    lines += [
        f"{one['policy']} less {other['policy']}: AUC {_shown(other['auc'])}, Brier {_shown(other['brier'])}"
        for one in said
        for other in one["against"]
    ]
    return "\n".join(lines)


def _short(one: Said) -> Said:
    return {"policy": one["policy"], **one["metrics"], "trainings": one["trainings"], "promotions": one["promotions"]}


def _shown(found: Said) -> str:
    if found["low"] is None:
        return f"{found['difference']:+.4f}"
    return f"{found['difference']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"
