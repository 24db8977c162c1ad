"""Times: aware UTC datetimes in Python, whole seconds since 1970 in the stores and in numpy."""

from datetime import UTC, datetime

MINUTE = 60
HOUR = 3600
DAY = 86400


def to_epoch(moment: datetime) -> int:
    """Seconds since 1970-01-01 UTC, rounded down. Raises ValueError for a datetime without a time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: add Z or an offset")
    return int(moment.timestamp() // 1)


def from_epoch(seconds: int) -> datetime:
    """The aware UTC datetime of that second."""
    return datetime.fromtimestamp(int(seconds), UTC)


def iso(seconds: int | None) -> str | None:
    """ISO 8601 with Z, as the API writes times; None stays None."""
    return None if seconds is None else from_epoch(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def wall() -> int:
    """The wall clock, in epoch seconds. For entry points only: everything below gets its time as an argument."""
    return to_epoch(datetime.now(UTC))
