"""Whether answers were made from what the log says: the features of logged predictions are made anew from the facts as
they were recorded at their `seq` and known at their `as_of`, and compared to the last bit.

A row of the log changes an answer only if it was known at its `as_of`. So an answer that saw the log up to `seq` sees
the same in every later log until a row with `known_at <= as_of` comes. Answers of a day mostly share such a log, and
history is loaded once for all of them; where facts came late, once for each log that they need. Should a row from the
future change a feature after all, that shows as a difference too.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from backend.clock import DAY
from backend.flights import features
from backend.flights.events import split_flight_id
from backend.model import dataset
from backend.store import events as log
from backend.store import predictions
from backend.store.predictions import MadeFrom

Floats = npt.NDArray[np.float64]


class Skew(NamedTuple):
    """What an audit found: how many answers were `compared`, the ids of those that differ, how often each feature
    does, how many answers were `skipped` for another feature list, and how many logs were `loaded`."""

    compared: int
    differ: list[int]
    features: Mapping[str, int]
    skipped: int
    loaded: int


def audit(connection: Connection, since: int, until: int, sample: int, seed: int) -> Skew:
    """Compares up to `sample` answers with `since < as_of <= until` (epoch seconds), drawn by that seed."""
    mine, skipped = predictions.made_with(connection, features.VERSION, since, until)
    if len(mine) > sample:
        mine = np.random.default_rng(seed).choice(mine, sample, replace=False).tolist()
    drawn = list(predictions.made_from(connection, mine))
    differ: list[int] = []
    often: Counter[str] = Counter()
    loaded = 0
    for seq, answers in _sharing(connection, drawn):
        loaded += 1
        places, columns = differences(np.stack([each.features for each in answers]), _anew(connection, seq, answers))
        differ += {answers[place].id for place in places.tolist()}
        often.update(features.names()[column] for column in columns.tolist())
    return Skew(len(drawn), sorted(differ), dict(often.most_common()), skipped, loaded)


def differences(said: Floats, anew: Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The rows and columns at which two tables differ in any bit; one NaN is as good as another."""
    alike = (said.view(np.int64) == anew.view(np.int64)) | (np.isnan(said) & np.isnan(anew))
    rows, columns = np.nonzero(~alike)
    return rows, columns


def _anew(connection: Connection, seq: int, answers: Sequence[MadeFrom]) -> Floats:
    as_of = np.array([each.as_of for each in answers], np.int64)
    history = dataset.load(connection, int(as_of.max()), int(as_of.min()), seq).history
    plans = [(*split_flight_id(each.flight)[1:], *each[4:7]) for each in answers]
    return features.build(features.flights_of(plans), as_of, history)


def _sharing(connection: Connection, answers: Iterable[MadeFrom]) -> Iterator[tuple[int, list[MadeFrom]]]:
    """A `seq` for each group of answers that saw the same as the log up to there shows: as few as there can be."""
    days: dict[int, list[MadeFrom]] = {}
    for answer in answers:
        days.setdefault(answer.as_of // DAY, []).append(answer)
    for _, of_day in sorted(days.items()):
        yield from _fewest(of_day, _first_unseen(connection, of_day))


def _fewest(waiting: list[MadeFrom], ends: Mapping[int, float]) -> Iterator[tuple[int, list[MadeFrom]]]:
    """The one whose log changes first, at its `end`, takes all along that had seen as much by then; and so on."""
    while waiting:
        end = min(ends[each.id] for each in waiting)
        together = [each for each in waiting if each.seq < end]
        waiting = [each for each in waiting if each.seq >= end]
        yield max(each.seq for each in together), together


def _first_unseen(connection: Connection, answers: Sequence[MadeFrom]) -> dict[int, float]:
    """By the id of each answer: the `seq` of the first row that it had not seen and that was known at its `as_of`."""
    latest = max(each.as_of for each in answers)
    rows = log.recorded_late(connection, min(each.seq for each in answers), latest)
    seq, known_at = np.array(rows, np.int64).reshape(-1, 2).T
    found = {}
    for each in answers:
        unseen = seq[(seq > each.seq) & (known_at <= each.as_of)]
        found[each.id] = float(unseen[0]) if len(unseen) else np.inf
    return found
