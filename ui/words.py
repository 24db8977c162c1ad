"""How the app says numbers and times: plain functions from values to text for people."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
NBSP = "\N{NO-BREAK SPACE}"
TO = "\N{WORD JOINER}–\N{WORD JOINER}"  # a dash at which no line ends


def moment(text: str) -> datetime:
    """The aware datetime of an ISO 8601 text. Raises ValueError for one without a time zone."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return parsed


def day(when: datetime) -> str:
    """For example "Mon 1 Apr 2013"."""
    return f"{when:%a} {when.day} {when:%b %Y}".replace(" ", NBSP)


def both_clocks(text: str) -> str:
    """The moment on New York's clock and in UTC, whose date is said only where it differs."""
    utc = moment(text).astimezone(UTC)
    local = utc.astimezone(NEW_YORK)
    utc_day = "" if utc.date() == local.date() else f"{utc.day}{NBSP}{utc:%b} "
    return f"{day(local)}, {local:%H:%M}{NBSP}New{NBSP}York ({utc_day}{utc:%H:%M}{NBSP}UTC)"


def window(start: str, end: str) -> str:
    """The days that a window covers in New York, its end not included: "16–30 Mar 2013"."""
    first = moment(start).astimezone(NEW_YORK)
    last = datetime.fromtimestamp(moment(end).timestamp() - 1, NEW_YORK)
    if first.date() == last.date():
        return f"{first.day} {first:%b %Y}".replace(" ", NBSP)
    if first.year != last.year:
        return f"{first.day} {first:%b %Y} {TO} {last.day} {last:%b %Y}".replace(" ", NBSP)
    if first.month != last.month:
        return f"{first.day} {first:%b} {TO} {last.day} {last:%b %Y}".replace(" ", NBSP)
    return f"{first.day}{TO}{last.day} {last:%b %Y}".replace(" ", NBSP)


def percent(rate: float, digits: int = 0) -> str:
    """A rate of 0 to 1 as text with its sign: "26 %"."""
    return f"{100 * rate:.{digits}f}{NBSP}%"


def whole_percent(probability: float) -> str:
    """A probability in whole percent, which says 0 or 100 of nothing that is not certain."""
    if 0 < probability < 0.005:
        return f"<{NBSP}1{NBSP}%"
    if 0.995 <= probability < 1:
        return f">{NBSP}99{NBSP}%"
    return percent(probability)


def fraction(value: float) -> str:
    """A figure between 0 and 1 as this field writes it: ".746"."""
    return f"{value:.3f}".removeprefix("0")


def signed(difference: float) -> str:
    """A difference of such figures, with its sign: "+.083", "−.019"."""
    return f"{'−' if difference < 0 else '+'}{fraction(abs(difference))}"


def of_100(rate: float) -> str:
    """A rate of 0 to 1 as a count of a hundred flights: "31 of 100"."""
    hundredths = round(100 * rate)
    if hundredths == 0:
        return "fewer than 1 of 100"
    if hundredths == 100:
        return "more than 99 of 100"
    return f"{hundredths} of 100"


def odds(probability: float, base_rate: float | None) -> str:
    """The sentence that says a probability to a person who has never seen one, beside what is usual."""
    share = of_100(probability)
    sure = share.startswith(("fewer", "more"))
    verb = "is" if round(100 * probability) == 1 else "are"
    said = f"{share[0].upper()}{share[1:]}" if sure else f"About {share}"
    usual = "" if base_rate is None else f", against {of_100(base_rate)} usually"
    return f"{said} flights like this one {verb} disrupted{usual}."


def duration(minutes: float) -> str:
    """Minutes as hours and minutes: "5 h 15 min"."""
    hours, rest = divmod(round(minutes), 60)
    parts = [f"{hours}{NBSP}h"] * bool(hours) + [f"{rest}{NBSP}min"] * bool(rest or not hours)
    return " ".join(parts)


def count(number: int, one: str, many: str) -> str:
    """A number with its unit: "1 flight", "12,862 flights"."""
    return f"{number:,}{NBSP}{one if number == 1 else many}"
