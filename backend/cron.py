"""Cron lines: which are accepted. When one is due is worked out by APScheduler, which the API does not import."""

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Each field's name, and its least and greatest value. Weekdays are names: of their numbers there are two traditions.
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12))
_PART = re.compile(r"\*(?:/(\d{1,2}))?|(\d{1,2})(?:-(\d{1,2}))?")
_WEEKDAY = "|".join(WEEKDAYS)
_DAYS = re.compile(rf"\*|(?:{_WEEKDAY})(?:-(?:{_WEEKDAY}))?(?:,(?:{_WEEKDAY})(?:-(?:{_WEEKDAY}))?)*")


def check(line: str) -> str:
    """The line, if it is one: minute, hour, day, month and weekday, in numbers, names of weekdays, `*`, `*/n`, ranges
    and lists; or empty, which is never. Raises ValueError for any other."""
    if not line:
        return line
    fields = line.split(" ")
    if len(fields) != 5:
        raise ValueError("a cron line has five fields: minute, hour, day, month and weekday, like 0 4 * * mon")
    for text, (name, least, most) in zip(fields, _FIELDS, strict=False):
        if not all(_is_part(part, least, most) for part in text.split(",")):
            raise ValueError(f"{text!r} is no {name}: give numbers from {least} to {most}, like 5, 1-3, 1,4, * or */2")
    if not _DAYS.fullmatch(fields[4]) or not _in_order(fields[4]):
        raise ValueError(f"{fields[4]!r} is no weekday: give * or names from mon to sun, like mon, mon-fri or mon,thu")
    return line


def check_zone(name: str) -> str:
    """The name, if it is an IANA time zone. Raises ValueError otherwise."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone: give an IANA name, like America/New_York or UTC") from error
    return name


def _is_part(text: str, least: int, most: int) -> bool:
    found = _PART.fullmatch(text)
    if not found:
        return False
    if text.startswith("*"):
        return found[1] is None or 1 <= int(found[1]) <= most
    first, last = int(found[2]), int(found[3] or found[2])
    return least <= first <= last <= most


def _in_order(days: str) -> bool:
    ranges = (part.split("-") for part in days.split(",") if part != "*")
    return all(WEEKDAYS.index(each[0]) <= WEEKDAYS.index(each[-1]) for each in ranges)
