"""The features again, slow and obvious: throw away what was not known, then loop. It shares no code with features.py.

A row of the log is believed at a moment when it was known by then, and no row about the same thing that was recorded
later was known by then too. A flight's departure and outcome count from when they and its schedule were known, for the
destination and hour that its schedule said then, if it was known within three days of the departure that this said.
"""

import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from backend.flights.facts import LogRow
from backend.flights.places import Airport

MINUTE, HOUR, DAY = 60, 3600, 86400
WEEKS_4 = 28 * DAY
NAN = math.nan

# Carrier, number, origin, dest, scheduled departure, scheduled arrival or None.
Asked = tuple[str, int, str, str, int, int | None]


class Plan(NamedTuple):
    """What a schedule said of its flight."""

    carrier: str
    number: int
    origin: str
    dest: str
    hour_local: int
    departure: int
    arrival: int
    known_at: int


class Left(NamedTuple):
    """A departure: when it counted, what its schedule was, and its delay."""

    time: int
    plan: Plan
    minutes: int


class Ended(NamedTuple):
    """An outcome: when it counted, what its schedule was, its kind and its delay."""

    time: int
    plan: Plan
    kind: str
    minutes: int
    lost: int | None  # minutes between departure and arrival, where both were known


class Hour(NamedTuple):
    """An hour of weather at a station, when it became known."""

    known_at: int
    said: dict[str, float]


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _local(epoch: int, airport: Airport) -> datetime:
    return datetime.fromtimestamp(epoch, UTC).astimezone(_zone(airport.time_zone))


def _thing(row: LogRow) -> tuple[str, str]:
    kind, subject = row[2], row[1]
    return ("outcome" if kind in ("arrived", "cancelled", "diverted") else kind), subject


def _believed(rows: Iterable[LogRow], moment: int) -> dict[tuple[str, str], LogRow]:
    last: dict[tuple[str, str], LogRow] = {}
    for row in sorted(rows):
        if row[3] <= moment:
            last[_thing(row)] = row
    return last


class Known:
    """What was known at `as_of` from rows of the log, as lists."""

    def __init__(self, rows: Iterable[LogRow], as_of: int, airports: dict[str, Airport]) -> None:
        rows = [row for row in rows if row[3] <= as_of]
        self.as_of, self.airports = as_of, airports
        self.plans: list[Plan] = []
        self.left: list[Left] = []
        self.ended: list[Ended] = []
        self.weather: dict[str, list[Hour]] = {}
        self.overdue: list[Plan] = []
        by_flight: dict[str, list[LogRow]] = {}
        for row in rows:
            if row[2] != "weather":
                by_flight.setdefault(row[1], []).append(row)
        for about in by_flight.values():
            self._read_flight(about)
        for (kind, subject), row in _believed(rows, as_of).items():
            if kind == "weather":
                said = {name: NAN if value is None else value for name, value in json.loads(row[6] or "").items()}
                self.weather.setdefault(subject.split(".")[1], []).append(Hour(row[3], said))
        for hours in self.weather.values():
            hours.sort(key=lambda hour: -hour.known_at)

    def _read_flight(self, rows: list[LogRow]) -> None:
        schedules = [row for row in rows if row[2] == "scheduled"]
        if not schedules:
            return
        first_known = min(row[3] for row in schedules)
        plan_now = gone = None
        for (thing, _), row in _believed(rows, self.as_of).items():
            time = max(row[3], first_known)
            plan = self._plan(next(iter(_believed(schedules, time).values())))
            if thing == "scheduled":
                plan_now = plan
                self.plans.append(plan)
                continue
            gone = row
            if row[3] > plan.departure + 3 * DAY:
                continue
            if thing == "departed":
                self.left.append(Left(time, plan, row[5] or 0))
            if thing == "outcome":
                self.ended.append(Ended(time, plan, row[2], row[5] or 0, self._lost(row, _believed(rows, time))))
        assert plan_now is not None
        # Whether it is known to have gone: by any row, since a row that is not believed any more has a successor.
        if gone is None and plan_now.departure <= self.as_of < plan_now.departure + 12 * HOUR:
            self.overdue.append(plan_now)

    @staticmethod
    def _lost(outcome: LogRow, then: dict[tuple[str, str], LogRow]) -> int | None:
        left = [row for (thing, _), row in then.items() if thing == "departed"]
        if outcome[2] != "arrived" or not left:
            return None
        return max(-60, min(90, (outcome[5] or 0) - (left[0][5] or 0)))

    def _plan(self, row: LogRow) -> Plan:
        _, carrier, number, origin = row[1].split(".")
        said = json.loads(row[6] or "")
        hour_local = _local(row[4], self.airports[origin]).hour
        return Plan(carrier, int(number), origin, said["dest"], hour_local, row[4], said["arrival"], row[3])


def _code(text: str) -> int:
    return sum(ord(letter) << 8 * place for place, letter in enumerate(text))


def _region(airport: Airport) -> tuple[int, int]:
    return math.floor(airport.latitude / 4), math.floor(airport.longitude / 5)


def _mean(total: float, count: int) -> float:
    return total / count if count else NAN


def _clipped(minutes: int) -> int:
    return max(-30, min(300, minutes))


def _minute(local: datetime) -> int:
    return local.hour * 60 + local.minute


def _miles(here: Airport, there: Airport) -> float:
    north_1, north_2 = math.radians(here.latitude), math.radians(there.latitude)
    east = math.radians(there.longitude - here.longitude)
    chord = math.sin((north_2 - north_1) / 2) ** 2 + math.cos(north_1) * math.cos(north_2) * math.sin(east / 2) ** 2
    return round(2 * 3958.8 * math.asin(math.sqrt(chord)), 1)


def features(asked: Asked, known: Known) -> dict[str, float]:
    """Every feature of that flight from what is known, by name."""
    out: dict[str, float] = {}
    _schedule(out, asked, known)
    _delays(out, asked, known)
    _records(out, asked, known)
    _congestion(out, asked, known)
    _weather(out, asked[2], known)
    return out


def _schedule(out: dict[str, float], asked: Asked, known: Known) -> None:
    carrier, _, origin, dest, departure, arrival = asked
    here, there = known.airports[origin], known.airports[dest]
    route = [
        plan
        for plan in known.plans
        if (plan.origin, plan.dest) == (origin, dest) and known.as_of - WEEKS_4 < plan.known_at <= known.as_of
    ]
    usual = _mean(sum(plan.arrival - plan.departure for plan in route), len(route) * MINUTE)
    block = usual if arrival is None else (arrival - departure) / MINUTE
    local = _local(departure, here)
    out["carrier"], out["origin"], out["dest"] = _code(carrier), _code(origin), _code(dest)
    out["lead_minutes"] = (departure - known.as_of) // MINUTE
    out["departure_minute"] = _minute(local)
    out["weekday"] = local.weekday()
    flying = 0 if math.isnan(block) else int(block * MINUTE)
    out["arrival_minute"] = _minute(_local(departure + flying, there))
    out["block_minutes"] = block
    out["block_above_usual"] = block - usual
    out["distance_miles"] = _miles(here, there)
    out["asked_minute"] = _minute(_local(known.as_of, here))


WINDOWS = {"1h": HOUR, "3h": 3 * HOUR, "6h": 6 * HOUR, "24h": DAY, "48h": 2 * DAY, "72h": 3 * DAY, "28d": WEEKS_4}


RECORDS = ("number", "route", "carrier_dest", "carrier_hour", "origin_hour", "origin_carrier", "dest", "carrier")


def _groups(asked: Asked, known: Known) -> dict[str, Any]:
    """For each group's name, whether a plan belongs to the group of the flight that is asked about."""
    carrier, number, origin, dest, departure, _ = asked
    hour = _local(departure, known.airports[origin]).hour
    hour_now = _local(known.as_of, known.airports[origin]).hour
    region = _region(known.airports[dest])
    return {
        "all": lambda plan: True,
        "origin": lambda plan: plan.origin == origin,
        "carrier": lambda plan: plan.carrier == carrier,
        "origin_carrier": lambda plan: (plan.origin, plan.carrier) == (origin, carrier),
        "dest": lambda plan: plan.dest == dest,
        "to_dest": lambda plan: plan.dest == dest,
        "region": lambda plan: _region(known.airports[plan.dest]) == region,
        "to_region": lambda plan: _region(known.airports[plan.dest]) == region,
        "carrier_dest": lambda plan: (plan.carrier, plan.dest) == (carrier, dest),
        "number": lambda plan: (plan.carrier, plan.number) == (carrier, number),
        "route": lambda plan: (plan.origin, plan.dest) == (origin, dest),
        "carrier_hour": lambda plan: (plan.carrier, plan.hour_local) == (carrier, hour),
        "origin_hour": lambda plan: (plan.origin, plan.hour_local) == (origin, hour),
        "now": lambda plan: (plan.origin, plan.hour_local) == (origin, hour_now),
        "then": lambda plan: (plan.origin, plan.hour_local) == (origin, hour),
    }


def _delays(out: dict[str, float], asked: Asked, known: Known) -> None:
    groups = _groups(asked, known)

    def left(group: str, seconds: int) -> list[Left]:
        return [row for row in known.left if known.as_of - seconds < row.time and groups[group](row.plan)]

    def ended(group: str, seconds: int) -> list[Ended]:
        return [row for row in known.ended if known.as_of - seconds < row.time and groups[group](row.plan)]

    def since_four() -> int:
        wall = _local(known.as_of, known.airports[asked[2]]).replace(tzinfo=None)
        four = wall.replace(hour=4, minute=0, second=0)
        return int((wall - (four if four <= wall else four - timedelta(days=1))).total_seconds())

    for group, windows in (
        ("origin", "1h 3h 6h 24h"),
        ("origin_carrier", "1h 3h 6h 24h"),
        ("carrier", "1h 3h 6h"),
        ("to_dest", "3h 6h"),
        ("to_region", "1h 3h"),
        ("all", "1h 3h 6h"),
    ):
        for window in windows.split():
            rows = left(group, WINDOWS[window])
            out[f"{group}_departures_{window}"] = len(rows)
            out[f"{group}_departure_delay_{window}"] = _mean(sum(_clipped(row.minutes) for row in rows), len(rows))
            out[f"{group}_departures_late_{window}"] = _mean(sum(row.minutes >= 15 for row in rows), len(rows))
    for group, windows in (
        ("all", "3h 6h"),
        ("origin", "3h 6h 24h"),
        ("carrier", "3h 6h 24h"),
        ("origin_carrier", "6h 24h"),
        ("dest", "3h 6h 24h"),
        ("region", "3h 6h 24h"),
        ("carrier_dest", "24h"),
        ("number", "48h"),
    ):
        for window in windows.split():
            ends = ended(group, WINDOWS[window])
            out[f"{group}_arrival_delay_{window}"] = _arrival_delay(ends)
            out[f"{group}_disrupted_{window}"] = _mean(_disrupted(ends), len(ends))
            out[f"{group}_cancelled_{window}"] = sum(row.kind == "cancelled" for row in ends)
    for group, windows in (
        ("all", "3h 24h"),
        ("origin", "24h"),
        ("carrier", "24h 28d"),
        ("dest", "6h 24h 72h"),
        ("region", "6h 24h 72h"),
        ("route", "28d"),
        ("number", "28d"),
        ("carrier_dest", "28d"),
    ):
        for window in windows.split():
            lost = [row.lost for row in ended(group, WINDOWS[window]) if row.lost is not None]
            out[f"{group}_enroute_delay_{window}"] = _mean(sum(lost), len(lost))
    for group in ("origin", "origin_carrier"):
        rows, ends = left(group, since_four()), ended(group, since_four())
        out[f"{group}_departure_delay_today"] = _mean(sum(_clipped(row.minutes) for row in rows), len(rows))
        out[f"{group}_departures_late_today"] = _mean(sum(row.minutes >= 15 for row in rows), len(rows))
        out[f"{group}_disrupted_today"] = _mean(_disrupted(ends), len(ends))
        out[f"{group}_cancelled_today"] = sum(row.kind == "cancelled" for row in ends)
    for name in ("now", "then"):
        rows = left(name, WEEKS_4)
        out[f"usual_delay_{name}"] = _mean(sum(_clipped(row.minutes) for row in rows), len(rows))
    out["delay_above_usual"] = out["origin_departure_delay_3h"] - out["usual_delay_now"]
    out["delay_growth"] = out["origin_departure_delay_1h"] - out["origin_departure_delay_6h"]


def _disrupted(ends: list[Ended]) -> int:
    return sum(row.kind != "arrived" or row.minutes >= 15 for row in ends)


def _arrival_delay(ends: list[Ended]) -> float:
    arrived = [_clipped(row.minutes) for row in ends if row.kind == "arrived"]
    return _mean(sum(arrived), len(arrived))


def _records(out: dict[str, float], asked: Asked, known: Known) -> None:
    groups = _groups(asked, known)
    month = [row for row in known.ended if known.as_of - WEEKS_4 < row.time]
    mean = _mean(_disrupted(month), len(month))
    for group in [
        "number",
        "route",
        "carrier_dest",
        "carrier_hour",
        "origin_hour",
        "origin_carrier",
        "dest",
        "carrier",
    ]:
        ends = [row for row in month if groups[group](row.plan)]
        out[f"{group}_disrupted_28d"] = (_disrupted(ends) - mean * len(ends)) / (len(ends) + 20)


def _congestion(out: dict[str, float], asked: Asked, known: Known) -> None:
    departure = asked[4]
    groups = _groups(asked, known)
    for group in ("origin", "origin_carrier", "to_dest", "to_region", "carrier", "all"):
        waiting = [plan for plan in known.overdue if groups[group](plan)]
        out[f"{group}_overdue"] = len(waiting)
        out[f"{group}_overdue_minutes"] = sum(known.as_of - plan.departure for plan in waiting) // MINUTE

    def due(after: int, until: int, group: str = "origin") -> int:
        return sum(after < plan.departure <= until and groups[group](plan) for plan in known.plans)

    now = known.as_of
    out["origin_due_1h"] = due(now - HOUR, now)
    out["origin_throughput_1h"] = out["origin_departures_1h"] - due(now - HOUR, now)
    out["origin_throughput_3h"] = out["origin_departures_3h"] - due(now - 3 * HOUR, now)
    out["origin_overdue_share"] = _mean(out["origin_overdue"], due(now - HOUR, now))
    out["origin_demand_around"] = due(departure - HOUR // 2, departure + HOUR // 2)
    out["origin_demand_hour_before"] = due(departure - HOUR, departure)
    out["origin_demand_3h_before"] = due(departure - 3 * HOUR, departure)
    out["origin_demand_hour_after"] = due(departure, departure + HOUR)
    out["origin_carrier_demand_around"] = due(departure - HOUR // 2, departure + HOUR // 2, "origin_carrier")


def _weather(out: dict[str, float], origin: str, known: Known) -> None:
    hours = [hour for hour in known.weather.get(origin, []) if known.as_of - 6 * HOUR < hour.known_at]

    def said(name: str, place: int = 0) -> float:
        return hours[place].said[name] if place < len(hours) else NAN

    def measured(name: str) -> list[float]:
        return [hour.said[name] for hour in hours if not math.isnan(hour.said[name])]

    out["weather_age_minutes"] = (known.as_of - hours[0].known_at) // MINUTE if hours else NAN
    for name in ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"):
        out[f"weather_{name}"] = said(name)
    for name in ("temp", "wind_speed", "pressure", "visib", "humid"):
        before = [hour.said[name] for hour in hours if hour.known_at == hours[0].known_at - 3 * HOUR]
        out[f"weather_{name}_change_3h"] = said(name) - before[0] if before else NAN
    out["weather_dew_point_spread"] = said("temp") - said("dewp")
    out["weather_wind_worst_6h"] = max(measured("wind_speed"), default=NAN)
    out["weather_gust_worst_6h"] = max(measured("wind_gust"), default=NAN)
    out["weather_visib_worst_6h"] = min(measured("visib"), default=NAN)
    out["weather_precip_worst_6h"] = max(measured("precip"), default=NAN)
    out["weather_precip_6h"] = sum(round(inches * 100) for inches in measured("precip")) / 100
