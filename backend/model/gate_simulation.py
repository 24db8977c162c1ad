"""Simulates years of looks at the gate. A year is made of blocks of real days with what two models answered on them,
and every look is judged by the gate itself (docs/promotion.md)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from backend.model import promotion, scoring
from backend.model.rivals import Asked

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

LOOKS = 365
BLOCK = 7  # days, on average
WORSE_BY = 0.01  # AUC


class Usage(NamedTuple):
    """How one looks: every night from when there are `first` days, at the `newest` of them, or at all where 0."""

    name: str
    first: int
    newest: int

    def window(self, look: int) -> slice:
        """The days that the look judges, looks counted from 0."""
        end = self.first + look
        return slice(end - self.newest if self.newest else 0, end)


NIGHTLY = Usage("nightly", 28, 28)  # a retraining every night, judged on the days that were kept from it
SHADOW = Usage("shadow", 28, 0)  # one challenger that is looked at again, with all days since its training data end
GUARD = Usage("guard", promotion.FEWEST_DAYS, 0)  # the version before the champion, since the champion serves
USAGES = (NIGHTLY, SHADOW, GUARD)


class Years(NamedTuple):
    """Simulated years, shapes (years, days): the number of each one's real day, and of the block that it is from."""

    day: Ints
    block: Ints


def years(real_days: int, count: int, usage: Usage, rng: np.random.Generator, block: float = BLOCK) -> Years:
    """Years long enough for LOOKS looks, by the stationary bootstrap (Politis and Romano 1994): blocks of consecutive
    real days that start anywhere and are of geometric length, `block` days on average; after the last day, the
    first."""
    days = usage.first + LOOKS - 1
    begins = rng.random((count, days)) < 1 / block
    begins[:, 0] = True
    place = np.arange(days)
    begun = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    start = np.take_along_axis(rng.integers(real_days, size=(count, days)), begun, axis=1)
    return Years((start + place - begun) % real_days, np.cumsum(begins, axis=1))


def tossed(drawn: Years, rng: np.random.Generator) -> Floats:
    """1 or -1 for each day, the same all through a block, shape (years, days): who of two models is the champion.

    So tossed, two models are equal whatever they are: neither a block nor its order says which is which.
    """
    sides = rng.choice(np.array([-1.0, 1.0]), size=(len(drawn.block), int(drawn.block.max()) + 1))
    return np.take_along_axis(sides, drawn.block, axis=1)


def better(saved: Floats, questions: Floats) -> Flags:
    """Whether the gate's bound says that the challenger's Brier score is lower, for each year: shapes (years, k)."""
    return np.asarray(promotion.gain(saved, questions).low > 0)


def looks(saved: Floats, questions: Floats, usage: Usage) -> Flags:
    """Which looks pass the gate on the Brier score, shape (years, LOOKS), for savings and questions of each day, both
    of shape (years, days)."""
    found = np.zeros((len(saved), LOOKS), bool)
    for look in range(LOOKS):
        window = usage.window(look)
        found[:, look] = better(saved[:, window], questions[:, window])
    return found


def first_look(passed: Flags) -> Ints:
    """The first look of each year that passes, counted from 0, or -1."""
    return np.where(passed.any(axis=1), passed.argmax(axis=1), -1)


class Duel(NamedTuple):
    """Two models' probabilities for the same questions. `sides` says for each simulated day whether the challenger
    is the challenger (1) or has changed sides with the champion (-1)."""

    asked: Asked
    champion: Floats
    challenger: Floats
    sides: Floats

    def by_day(self, drawn: Years) -> tuple[Floats, Floats]:
        """Savings and questions of each simulated day, both of shape (years, days)."""
        saved, questions = promotion.by_day(self.asked.day, self.asked.truth, self.champion, self.challenger)
        return saved[drawn.day] * self.sides, questions[drawn.day]


def judge(duel: Duel, day: Ints, sides: Floats) -> promotion.Verdict:
    """The gate's verdict on the questions of simulated days that are these real ones, both of shape (k,)."""
    asked = duel.asked
    start = np.searchsorted(asked.day, np.arange(asked.day[-1] + 2))
    places = [np.arange(start[one], start[one + 1]) for one in day.tolist()]
    here = np.concatenate(places)
    which = np.repeat(np.arange(len(day)), [len(one) for one in places])
    stays = (sides > 0)[which]
    return promotion.judge(
        day=which,
        flight=which * (int(asked.flight.max()) + 1) + asked.flight[here],
        truth=asked.truth[here],
        champion=np.where(stays, duel.champion[here], duel.challenger[here]),
        challenger=np.where(stays, duel.challenger[here], duel.champion[here]),
        slices={name: labels[here] for name, labels in asked.slices.items()},
    )


def promoted(duel: Duel, drawn: Years, passed: Flags, usage: Usage, year: int) -> int:
    """The first look of a year at which the whole gate, margins and all, promotes; -1 where none does.

    Only looks that `passed` are judged: at the others the gate's first condition does not hold.
    """
    for look in np.flatnonzero(passed[year]).tolist():
        window = usage.window(look)
        if judge(duel, drawn.day[year, window], duel.sides[year, window]).verdict == "promote":
            return look
    return -1


def weakened(asked: Asked, name: str, other: Floats, auc: float = WORSE_BY) -> Floats:
    """That model's probabilities mixed in log-odds with those of `other` until its AUC is lower by that much.

    Raises ValueError where even `other` alone is not that bad.
    """
    own, others = scoring.log_odds(asked.answers[name]), scoring.log_odds(other)
    target = roc_auc_score(asked.truth, own) - auc
    if roc_auc_score(asked.truth, others) > target:
        raise ValueError(f"what is mixed into {name} is not worse by {auc:g} AUC itself")
    low, high = 0.0, 1.0
    while high - low > 1e-4:  # at the share `low` the mixture is still too good, at `high` bad enough
        share = (low + high) / 2
        if roc_auc_score(asked.truth, (1 - share) * own + share * others) > target:
            low = share
        else:
            high = share
    return scoring.sigmoid((1 - high) * own + high * others)


def interval(hits: int, tries: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share that was seen `hits` times in `tries` (Wilson 1927)."""
    share, weight = hits / tries, z * z / tries
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * np.sqrt(share * (1 - share) / tries + weight / (4 * tries))
    return float(max(0, middle - half)), float(min(1, middle + half))
