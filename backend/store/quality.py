"""Data quality at the door, counted by day of the data clock as batches come in.

`what` is one of KINDS and `which` says more: for `stored` and `late` the kind of event, for `refused` the rule that it
broke, for `unknown_carrier` the carrier, for `missing_weather` the station.
"""

from collections import Counter

from sqlalchemy import Connection, case, func, literal, select

from backend.clock import DAY, HOUR
from backend.flights.events import WEATHER_KNOWN_AFTER
from backend.store import pages, sql
from backend.store.events import insert_for
from backend.store.pages import Order, Page

KINDS = ("stored", "repeated", "refused", "late", "unknown_carrier", "missing_weather")
LATE_AFTER = HOUR  # a fact that was known so long before the data clock should have been told before
REPORTING = 7 * DAY  # a station whose weather came within so long is expected to go on
table = sql.quality
ORDER = Order("quality", table.c.day, {"day": table.c.day})

# How often each (what, which) was seen.
Counts = Counter[tuple[str, str]]


def stored_after(connection: Connection, seq: int, now: int) -> Counts:
    """The events that were recorded after `seq`, by kind, and those of them that are late where it was `now`."""
    events = sql.events.c
    late = case((events.known_at < now - LATE_AFTER, 1), else_=0)
    recorded = select(events.kind, func.count(), func.sum(late))
    counts: Counts = Counter()
    for kind, number, of_old in connection.execute(recorded.where(events.seq > seq).group_by(events.kind)):
        counts["stored", kind] += number
        counts["late", kind] += of_old
    return counts


def missing_weather(connection: Connection, before: int, until: int) -> Counts:
    """The hours of weather that should be there as everything is told up to `until`, and was up to `before`, by
    station. An hour that comes later still was missing: it counts as late too."""
    first, last = ((told - WEATHER_KNOWN_AFTER - LATE_AFTER) // HOUR for told in (before, until))
    if first == last:
        return Counter()
    hours = sql.weather.c
    lately = select(literal(1)).where(hours.station == sql.airports.c.code, hours.hour > before - REPORTING)
    stations = connection.scalars(select(sql.airports.c.code).where(lately.exists())).all()
    there = select(hours.station, func.count()).where(hours.hour > first * HOUR, hours.hour <= last * HOUR)
    found = {str(station): int(number) for station, number in connection.execute(there.group_by(hours.station))}
    return Counter({("missing_weather", station): last - first - found.get(station, 0) for station in stations})


def count(connection: Connection, now: int, counts: Counts) -> None:
    """Add those counts to the day of `now`, in the caller's write transaction."""
    day = now // DAY * DAY
    rows = [
        {"day": day, "what": what, "which": which[:40], "count": number}
        for (what, which), number in sorted(counts.items())
        if number > 0
    ]
    if rows:
        insert = insert_for(connection)(table)
        more = {"count": table.c.count + insert.excluded["count"]}
        connection.execute(insert.on_conflict_do_update(index_elements=["day", "what", "which"], set_=more), rows)


def since(connection: Connection, day: int) -> Counts:
    """What was counted on the days that begin from `day` on."""
    summed = select(table.c.what, table.c.which, func.sum(table.c.count)).where(table.c.day >= day)
    rows = connection.execute(summed.group_by(table.c.what, table.c.which))
    return Counter({(what, which): int(number) for what, which, number in rows})


def by_day(
    connection: Connection, since: int | None, until: int | None, page: Page
) -> tuple[list[tuple[int, dict[str, dict[str, int]]]], str | None]:
    """A page of what was counted on days that begin from `since` on and before `until` (epoch seconds), and the cursor
    of the next: for each day's start, each of KINDS with how often each `which` was seen. Raises CursorError."""
    wanted = [table.c.day >= (since or 0)] + ([] if until is None else [table.c.day < until])
    days, following = pages.cut(connection, select(table.c.day).where(*wanted).distinct(), ORDER, page)
    found: dict[int, dict[str, dict[str, int]]] = {row.day: {kind: {} for kind in KINDS} for row in days}
    rows = select(table).where(table.c.day.in_(found)).order_by(table.c.what, table.c.which)
    for day, what, which, number in connection.execute(rows):
        found[day].setdefault(what, {})[which] = number
    return list(found.items()), following
