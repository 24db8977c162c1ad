"""What facts add to the sums of history: for each flight, rows with the keys of the groups that it belongs to.

What a flight adds depends on the facts about it alone.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backend.clock import DAY, HOUR
from backend.flights.facts import Facts, Stream, pair
from backend.flights.groups import Carriers, Parts, keys
from backend.flights.label import ARRIVED, CANCELLED, LATE_MINUTES
from backend.flights.local_time import minute_of_day
from backend.flights.places import Places
from backend.flights.windows import FOREVER, Rows

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

KNOWN_WITHIN = 3 * DAY  # of the scheduled departure; what becomes known later says nothing of other flights
OVERDUE_AT_MOST = 12 * HOUR  # a flight that has not left after so long waits for a fact, not for a runway
_DELAY_RANGE = (-30, 300)  # minutes: one aircraft that waits for days is not what its airport does
_ENROUTE_RANGE = (-60, 90)

# The groups in which each kind of row is summed, and the values that are summed.
DEPARTURES = ("all", "region", "origin", "origin_carrier", "carrier", "origin_hour", "dest")
OUTCOMES = (
    *("all", "origin", "dest", "region", "carrier", "origin_carrier"),
    *("route", "number", "carrier_dest", "carrier_hour", "origin_hour"),
)
DEMAND = ("origin", "origin_carrier", "route")
OVERDUE = ("all", "origin", "origin_carrier", "dest", "region", "carrier")
VALUES = {
    "departures": ("count", "delay", "late"),
    "outcomes": ("count", "disrupted", "cancelled", "arrived", "delay", "flown", "enroute"),
    "demand": ("count", "seconds"),
    "overdue": ("count", "since"),
}


class Contributions(NamedTuple):
    """Rows of each kind, with the groups and values that are named above.

    `departures` and `outcomes` stand at the time when they and their schedules became known. `enroute` are the minutes
    that a flight lost between departure and arrival against its plan, `flown` are the flights of which both were known.
    `demand` stands at the scheduled departure, for "route" at the time when the schedule became known, with the seconds
    that were planned. `overdue` has a row where a flight should have left and is not gone, and takes it away when it
    is; `since` is the time that it waits from.
    """

    departures: Rows
    outcomes: Rows
    demand: Rows
    overdue: Rows


def contributions(facts: Facts, places: Places, carriers: Carriers) -> Contributions:
    """What those facts add. Raises KeyError for an airport that `places` do not know."""
    plans, rows, ends = facts.schedules, facts.departures, facts.outcomes
    origins, dests = places.positions(facts.origin), places.positions(facts.schedule_dest)
    carrier, regions = carriers.numbers(facts.carrier), places.regions(dests)
    hours = minute_of_day(places.local_at(plans.at, origins[plans.subject])) // 60

    def parts(of: Ints, plan: Ints) -> Parts:
        return Parts(origins[of], carrier[of], facts.number[of], dests[plan], regions[plan], hours[plan], hours[plan])

    kept, plan, time = _planned(facts, rows)
    minutes = rows.value[kept]
    delay = np.clip(minutes, *_DELAY_RANGE)
    values = np.stack([np.ones_like(delay), delay, minutes >= LATE_MINUTES], axis=1)
    departures = Rows(keys(DEPARTURES, parts(rows.subject[kept], plan)), time, values, rows.valid_to[kept])

    kept, plan, time = _planned(facts, ends)
    what, minutes = ends.value[kept] & 3, ends.value[kept] >> 2
    came = what == ARRIVED
    disrupted = ~came | (minutes >= LATE_MINUTES)
    clipped = np.where(came, np.clip(minutes, *_DELAY_RANGE), 0)
    flown, enroute = _enroute(rows, ends.subject[kept], time, came, minutes)
    values = np.stack([np.ones_like(what), disrupted, what == CANCELLED, came, clipped, flown, enroute], axis=1)
    outcomes = Rows(keys(OUTCOMES, parts(ends.subject[kept], plan)), time, values, ends.valid_to[kept])

    planned = parts(plans.subject, np.arange(len(plans.subject)))
    block = np.stack([np.ones_like(plans.value), plans.value - plans.at], axis=1)
    demand = Rows(keys(DEMAND, planned), np.stack([plans.at, plans.at, plans.known_at]), block, plans.valid_to)
    return Contributions(departures, outcomes, demand, _overdue(facts, keys(OVERDUE, planned)))


def _overdue(facts: Facts, key: Ints) -> Rows:
    """Each flight that is late to leave, from when it was due until it was gone, by its schedule of that time."""
    gone = np.full(len(facts.origin), FOREVER, np.int64)
    np.minimum.at(gone, facts.departures.subject, facts.departures.known_at)
    np.minimum.at(gone, facts.outcomes.subject, facts.outcomes.known_at)
    plans = facts.schedules
    start = np.maximum(plans.at, plans.known_at)
    stop = np.minimum(np.minimum(gone[plans.subject], plans.valid_to), plans.at + OVERDUE_AT_MOST)
    waited = stop > start
    began = np.stack([np.ones_like(plans.at), plans.at], axis=1)[waited]
    time = np.concatenate([start[waited], stop[waited]])
    return Rows(np.tile(key[:, waited], 2), time, np.concatenate([began, -began]), np.full_like(time, FOREVER))


def _planned(facts: Facts, rows: Stream) -> tuple[Ints, Ints, Ints]:
    """Which rows count, the schedule that was believed when each became known, and when both were known.

    A row that came before its schedule counts from when the first schedule became known. One of these, and not the
    schedule that is recorded first or believed last: those may be from the future of who asks.
    """
    plans = facts.schedules
    # The last schedule that was known by then; where it is another flight's, the one after it is this flight's first.
    believed, last = _last_believed(plans, rows.subject, rows.known_at)
    mine = last >= 0
    mine[mine] = plans.subject[believed[last[mine]]] == rows.subject[mine]
    plan = believed[np.where(mine, last, last + 1)]
    kept = np.flatnonzero(rows.known_at <= plans.at[plan] + KNOWN_WITHIN)
    return kept, plan[kept], np.maximum(rows.known_at, plans.known_at[plan])[kept]


def _last_believed(rows: Stream, subject: Ints, moment: Ints) -> tuple[Ints, Ints]:
    """Rows that were ever believed, by subject and `known_at`; and, for each question, the place among them of the last
    that was known at that moment: of an earlier subject where none was, and -1 before the first."""
    believed = np.flatnonzero(rows.valid_to > rows.known_at)
    key = pair(rows.subject[believed], rows.known_at[believed])
    order = np.argsort(key)
    return believed[order], np.searchsorted(key[order], pair(subject, moment), side="right") - 1


def _enroute(departures: Stream, subject: Ints, time: Ints, came: Bools, delay: Ints) -> tuple[Bools, Ints]:
    """Which flights came and were known to have left by `time`, and the minutes that they lost on the way."""
    believed, last = _last_believed(departures, subject, time)
    flown = came & (last >= 0)
    flown[flown] = departures.subject[believed[last[flown]]] == subject[flown]
    lost = np.zeros_like(delay)
    lost[flown] = np.clip(delay[flown] - departures.value[believed[last[flown]]], *_ENROUTE_RANGE)
    return flown, lost
