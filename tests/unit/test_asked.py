"""What a question about a flight must say, and what is said of one that cannot be answered."""

import pytest

from backend import clock
from backend.flights import asked
from backend.flights.asked import Fault, Known, Question, Schedule, Stored

AS_OF = 1_364_788_800  # 2013-04-01 04:00 UTC, midnight in New York
DEPARTURE = AS_OF + 5 * clock.HOUR
STORED = Stored("2013-04-01.UA.1545.EWR", "UA", 1545, "EWR", "IAH", DEPARTURE, DEPARTURE + 4 * clock.HOUR)
KNOWN = Known(
    by_id={STORED.id: STORED},
    by_schedule={STORED[1:6]: STORED},
    time_zones={"EWR": "America/New_York", "IAH": "America/Chicago"},
    carriers={"UA", "AA"},
)
QUESTION = Question(None, *STORED[1:6])


def resolved(question: Question, as_of: int = AS_OF) -> Schedule:
    found = asked.resolve(question, KNOWN, as_of)
    assert isinstance(found, Schedule), found
    return found


def faults(question: Question, as_of: int = AS_OF) -> list[Fault]:
    found = asked.resolve(question, KNOWN, as_of)
    assert isinstance(found, list)
    return found


def test_the_stored_schedule_is_one_question_however_it_is_asked() -> None:
    by_id = resolved(Question(STORED.id))
    assert by_id == resolved(QUESTION) == resolved(QUESTION._replace(arrival=STORED.arrival))
    assert (by_id.flight, by_id.stored, by_id.variant, by_id.plan) == (STORED.id, True, "", STORED[1:])


def test_another_arrival_than_the_stored_one_is_a_question_of_its_own() -> None:
    other = resolved(QUESTION._replace(arrival=STORED.arrival + 60))
    assert (other.flight, other.stored) == (STORED.id, True)
    assert other.variant and other.arrival == STORED.arrival + 60


@pytest.mark.parametrize("change", [{"dest": "EWR"}, {"departure": DEPARTURE + 60}, {"arrival": DEPARTURE + 60}])
def test_schedules_that_differ_never_share_an_answer(change: dict[str, int | str]) -> None:
    here, there = resolved(QUESTION), resolved(QUESTION._replace(**change))  # type: ignore[arg-type]
    assert (here.flight, here.variant) != (there.flight, there.variant)


def test_a_flight_that_is_not_stored_has_the_id_that_it_will_have() -> None:
    # 03:30 UTC on 2 April is still 1 April in Newark.
    late = resolved(Question(None, "AA", 7, "EWR", "IAH", AS_OF + 23 * clock.HOUR + 30 * clock.MINUTE))
    assert (late.flight, late.stored, late.arrival) == ("2013-04-01.AA.7.EWR", False, None)
    assert late.variant == "IAH 2013-04-02T03:30:00Z"


def test_every_fault_of_a_question_is_said() -> None:
    wrong = faults(Question(None, "ZZ", 1, "XXX", "QQQ", AS_OF - 1, AS_OF - 2))
    assert [fault.field for fault in wrong] == [
        "carrier",
        "origin",
        "dest",
        "scheduled_departure",
        "scheduled_arrival",
    ]
    assert wrong[0].accepted == ("AA", "UA")
    assert "had passed at 2013-04-01T04:00:00Z" in wrong[3].reason


def test_a_flight_may_be_asked_about_from_a_day_ahead_until_it_leaves() -> None:
    for as_of in (DEPARTURE - clock.DAY, DEPARTURE):
        assert resolved(QUESTION, as_of)
    assert "more than 24 hours" in faults(QUESTION, DEPARTURE - clock.DAY - 1)[0].reason
    assert "had passed" in faults(QUESTION, DEPARTURE + 1)[0].reason


def test_what_is_wrong_with_a_flight_by_id_is_said_of_its_id() -> None:
    assert faults(Question("2013-04-01.UA.1.EWR")) == [Fault("id", asked.NOT_STORED)]
    left = faults(Question(STORED.id), DEPARTURE + 1)
    assert [fault.field for fault in left] == ["id"] and "scheduled_departure had passed" in left[0].reason


@pytest.mark.parametrize("departure", [-(2**40), 253_402_350_000, 2**60])
def test_times_that_no_calendar_holds_are_faults(departure: int) -> None:
    assert [fault.field for fault in faults(QUESTION._replace(departure=departure))] == ["scheduled_departure"]


ROW = {
    "carrier": "UA",
    "flight": "1545",
    "origin": "EWR",
    "dest": "IAH",
    "scheduled_departure": "2013-04-01T09:00:00Z",
}


def test_a_row_of_a_file_is_the_same_question() -> None:
    assert asked.from_row(ROW) == QUESTION
    assert asked.from_row(ROW | {"scheduled_arrival": "2013-04-01T09:00:00-04:00"}) == Question(
        None, *STORED[1:6], STORED.arrival
    )
    assert asked.from_row({"id": STORED.id, "carrier": "?"}) == Question(STORED.id)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("flight", "0"),
        ("flight", "12a"),
        ("flight", "²"),
        ("flight", "9" * 5000),
        ("scheduled_departure", "soon"),
        ("scheduled_departure", "2013-04-01T09:00:00"),
        ("scheduled_arrival", "0000-00-00T00:00:00Z"),
        ("carrier", ""),
    ],
)
def test_a_row_that_cannot_be_read_says_which_field_and_why(field: str, value: str) -> None:
    found = asked.from_row(ROW | {field: value})
    assert isinstance(found, list) and [fault.field for fault in found] == [field] and found[0].reason
