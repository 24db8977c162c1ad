"""Replays months under a policy, night by night: when it trains, what it looks at, and which model answers what."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backend.clock import DAY
from backend.model import backtest, dataset, policies, promotion, questions
from backend.model.lab import Lab, Version
from backend.model.policies import Policy
from backend.model.promotion import Verdict
from backend.model.snapshot import LEADS_HOURS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Step = Callable[[Policy, str], None]


class Stint(NamedTuple):
    """From when on (epoch seconds) a version served, until the next stint, and why."""

    since: int
    version: Version
    why: str


class Replayed(NamedTuple):
    """What a policy did: the versions that it `trained`, its stints, and what was answered about `Lab.questions` at
    LEADS_HOURS, shape (leads, n); NaN for what was asked before the first stint."""

    policy: Policy
    trained: list[Version]
    stints: list[Stint]
    probability: Floats


@dataclass
class _State:
    """Where a replay stands. `challenger` is the version that is compared with the one that serves."""

    trained: list[Version]
    stints: list[Stint]
    last_trained: int
    challenger: Version | None = None

    @property
    def serving(self) -> Version:
        """The version that serves."""
        return self.stints[-1].version

    def serve(self, since: int, version: Version, why: str) -> None:
        """From now on, that version."""
        self.stints.append(Stint(since, version, why))
        self.challenger = None


def run(here: Lab, chosen: Sequence[Policy], step: Step) -> list[Replayed]:
    """Each policy replayed, side by side. `step(policy, month)` is called after each month of each; what it raises
    ends them all. Raises ValueError, in words, where nothing could be learned."""
    alone, stopped = threading.Lock(), threading.Event()

    def one(policy: Policy, month: str) -> None:
        with alone:
            if stopped.is_set():
                raise RuntimeError("another policy's replay has failed")
            step(policy, month)

    with ThreadPoolExecutor(len(chosen)) as threads:
        running = [threads.submit(replay, here, policy, one) for policy in chosen]
        ended, _ = wait(running, return_when=FIRST_EXCEPTION)
        for replayed in ended:
            if replayed.exception() is not None:
                stopped.set()
                here.stop()
                replayed.result()
    return [replayed.result() for replayed in running]


def replay(here: Lab, policy: Policy, step: Step) -> Replayed:
    """One policy, from a first model of everything (or its window) that was final when the first month began."""
    first = here.train(here.begin, policy.window_days, soon=1)
    state = _State([first], [Stint(here.begin, first, "the first")], here.begin)
    if policies.trains_on_the_first(policy):
        for month in here.months[1:]:  # nothing has to be waited for: these fits can begin
            _on_the_first(here, policy, backtest.start_of(month))
    probability = np.full((len(LEADS_HOURS), len(here.questions.positions)), np.nan)
    for month in here.months:
        for night in backtest.midnights(month):
            if night > here.begin:
                _night(here, policy, state, night, is_first=night == backtest.start_of(month))
        _answer(here, state.stints, month, probability)
        step(policy, month)
    return Replayed(policy, state.trained, state.stints, probability)


def _night(here: Lab, policy: Policy, state: _State, night: int, is_first: bool) -> None:
    if is_first and policies.trains_on_the_first(policy):
        version = _on_the_first(here, policy, night)
        state.trained.append(version)
        if policy.kind == "evidence":
            state.challenger = version
        else:
            state.serve(night, version, "a month has begun")
    if state.challenger is not None:
        verdict = _judged(here, state.serving, state.challenger, night)
        if verdict is not None and verdict.verdict == "promote":
            _promote(here, policy, state, night, verdict)
    elif policies.looks(policy, round((night - state.last_trained) / DAY)):
        why = _reason(here, policy, state, night)
        if why:
            version = here.train(night, soon=1)
            state.trained.append(version)
            state.last_trained = night
            state.serve(night, version, why)


def _on_the_first(here: Lab, policy: Policy, night: int) -> Version:
    return here.train(night, policy.window_days, without_newest=policy.kind == "evidence")


def _promote(here: Lab, policy: Policy, state: _State, night: int, verdict: Verdict) -> None:
    version = state.challenger
    assert version is not None
    if policy.refit:
        version = here.train(night, soon=1)
        state.trained.append(version)
    state.serve(night, version, verdict.sentence)


def _reason(here: Lab, policy: Policy, state: _State, night: int) -> str:
    """Why this policy trains now; empty where it does not."""
    since = night - policies.RECENT_DAYS * DAY
    if policy.kind == "drift":
        distances = here.distances(state.serving, since, night)
        share = float((distances >= policies.MOVED).mean())
        return f"{share:.0%} of the columns have moved" if policies.drifted(distances) else ""
    asked = here.questions
    # What another version had answered before this one served says nothing of this one.
    own = asked.departure >= max(since, state.stints[-1].since + DAY)
    final = np.flatnonzero(own & dataset.final(asked.departure, asked.known_at, asked.disrupted, night))
    if len(final) == 0:
        return ""
    truth = np.tile(asked.disrupted[final], len(LEADS_HOURS))
    now = policies.skill(truth, _answers(here, state.serving, final).ravel())
    before = state.serving.ready().skill
    if not policies.fallen(now, before, len(np.unique(asked.day[final]))):
        return ""
    return f"the Brier skill is {now:.3f}, and was {before:.3f} when it was trained"


def _judged(here: Lab, champion: Version, challenger: Version, night: int) -> Verdict | None:
    """The verdict of the gate on all flights that neither had learned from and that were final that night; None where
    it would promote in no case, which their days alone tell."""
    asked = here.questions
    unseen = asked.departure > max(champion.learned.last, challenger.learned.last)
    final = np.flatnonzero(unseen & dataset.final(asked.departure, asked.known_at, asked.disrupted, night))
    if len(final) == 0:
        return None
    leads = len(LEADS_HOURS)
    day, truth = np.tile(asked.day[final], leads), np.tile(asked.disrupted[final], leads)
    old, new = (_answers(here, version, final).ravel() for version in (champion, challenger))
    if promotion.gain(*promotion.by_day(day, truth, old, new)).low <= 0:
        return None
    slices = {name: np.tile(getattr(asked, name)[final], leads) for name in ("origin", "carrier")}
    slices["lead"] = np.repeat([f"{hours:g} h" for hours in LEADS_HOURS], len(final))
    return promotion.judge(day, np.tile(final, leads), truth, old, new, slices)


def _answers(here: Lab, version: Version, places: Ints) -> Floats:
    """What a version answers about those of the questions, whose places ascend: shape (leads, n)."""
    parts = []
    for month in here.months:
        span = here.of_month(month)
        inside = places[slice(*np.searchsorted(places, (span.start, span.stop)))]
        if len(inside):
            parts.append(here.answers(version, month)[:, inside - span.start])
    return np.concatenate(parts, axis=1)


def _answer(here: Lab, stints: Sequence[Stint], month: str, probability: Floats) -> None:
    """Each question of the month gets the answer of the version that served when it was asked."""
    span = here.of_month(month)
    when = here.questions.departure[span] - questions.leads_seconds()
    turn = np.searchsorted([stint.since for stint in stints], when, side="right") - 1
    for number in np.unique(turn[turn >= 0]).tolist():
        mine = turn == number
        probability[:, span][mine] = here.answers(stints[number].version, month)[mine]
