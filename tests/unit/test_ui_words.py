"""How the app says probabilities, numbers and times."""

from datetime import date, time

import pytest

from ui import words
from ui.views.predict import typed_flight


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{WORD JOINER}", "")


@pytest.mark.parametrize(
    ("probability", "base_rate", "sentence"),
    [
        (0.312, 0.262, "About 31 of 100 flights like this one are disrupted, against 26 of 100 usually."),
        (0.312, None, "About 31 of 100 flights like this one are disrupted."),
        (0.011, 0.262, "About 1 of 100 flights like this one is disrupted, against 26 of 100 usually."),
        (0.002, 0.262, "Fewer than 1 of 100 flights like this one are disrupted, against 26 of 100 usually."),
        (0.998, 0.262, "More than 99 of 100 flights like this one are disrupted, against 26 of 100 usually."),
    ],
)
def test_a_probability_is_said_as_flights_of_a_hundred(
    probability: float, base_rate: float | None, sentence: str
) -> None:
    assert words.odds(probability, base_rate) == sentence


@pytest.mark.parametrize(
    ("probability", "text"), [(0.312, "31 %"), (0.001, "< 1 %"), (0.9991, "> 99 %"), (1.0, "100 %")]
)
def test_what_is_not_certain_is_never_0_or_100_percent(probability: float, text: str) -> None:
    assert plain(words.whole_percent(probability)) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2013-04-01T09:15:00Z", "Mon 1 Apr 2013, 05:15 New York (09:15 UTC)"),
        ("2013-04-01T02:00:00Z", "Sun 31 Mar 2013, 22:00 New York (1 Apr 02:00 UTC)"),
        ("2013-01-01T05:00:00Z", "Tue 1 Jan 2013, 00:00 New York (05:00 UTC)"),
    ],
)
def test_a_time_is_told_on_both_clocks_and_with_the_date_where_they_differ(moment: str, text: str) -> None:
    assert plain(words.both_clocks(moment)) == text


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        words.both_clocks("2013-04-01T09:15:00")


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("2013-03-16T04:00:00Z", "2013-03-31T04:00:00Z", "16–30 Mar 2013"),
        ("2013-01-01T05:00:00Z", "2013-03-30T16:00:00Z", "1 Jan – 30 Mar 2013"),
        ("2012-12-01T05:00:00Z", "2013-01-31T05:00:00Z", "1 Dec 2012 – 30 Jan 2013"),
        ("2013-04-01T04:00:00Z", "2013-04-02T04:00:00Z", "1 Apr 2013"),
    ],
)
def test_a_window_is_told_in_new_yorks_days_without_its_end(start: str, end: str, text: str) -> None:
    assert plain(words.window(start, end)) == text


@pytest.mark.parametrize(
    ("minutes", "text"), [(0, "0 min"), (45, "45 min"), (60, "1 h"), (315, "5 h 15 min"), (1440, "24 h")]
)
def test_a_duration_is_told_in_hours_and_minutes(minutes: float, text: str) -> None:
    assert plain(words.duration(minutes)) == text


@pytest.mark.parametrize(
    ("day", "utc"), [(date(2013, 3, 9), "2013-03-09T10:15:00Z"), (date(2013, 3, 10), "2013-03-10T09:15:00Z")]
)
def test_a_typed_flight_leaves_on_new_yorks_clock_before_and_after_it_changes(day: date, utc: str) -> None:
    flight = typed_flight("UA", 1545, "EWR", " iah ", day, time(5, 15), words.NEW_YORK)
    assert (flight["scheduled_departure"], flight["dest"]) == (utc, "IAH")
