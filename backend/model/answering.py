"""Answers questions about flights and logs each answer before it is given."""

from collections.abc import Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from backend.flights import features
from backend.flights.asked import Schedule
from backend.model.serving import Serving
from backend.store import predictions
from backend.store.answer_log import AnswerLog
from backend.store.predictions import Asking, Logged


class NotLoggedError(RuntimeError):
    """An answer that could not be written down, and so must not be given."""


def answer(
    log: AnswerLog, connection: Connection, serving: Serving, schedules: Sequence[Schedule], asking: Asking
) -> list[Logged]:
    """The answer to each question: the first that this account was given about that flight and as_of.

    `connection` reads. New answers are in the log, committed, when this returns. Raises NoChampionError, and
    NotLoggedError where the log cannot be written: the disk is full, or another writer holds the database too long.
    """
    questions = {(schedule.flight, schedule.variant): schedule for schedule in schedules}
    known = predictions.find(connection, asking.account, asking.as_of, questions)
    new = [schedule for key, schedule in questions.items() if key not in known]
    if new:
        known |= _log(log, connection, serving, new, asking)
    return [known[schedule.flight, schedule.variant] for schedule in schedules]


def _log(
    log: AnswerLog, connection: Connection, serving: Serving, new: Sequence[Schedule], asking: Asking
) -> dict[predictions.Key, Logged]:
    answered = serving.answer(connection, features.flights_of([schedule.plan for schedule in new]), asking.as_of)
    shadow = serving.shadow(answered)
    shadow_probability = [None] * len(new) if shadow is None else shadow.probability.tolist()
    answers = [
        Logged(
            flight=schedule.flight,
            variant=schedule.variant,
            dest=schedule.dest,
            scheduled_departure=schedule.departure,
            scheduled_arrival=schedule.arrival,
            seq=answered.seq,
            version=answered.version,
            probability=probability,
            base_rate=answered.metadata["base_rate"],
            shadow_version=None if shadow is None else shadow.version,
            shadow_probability=shadowed,
        )
        for schedule, probability, shadowed in zip(new, answered.probability.tolist(), shadow_probability, strict=True)
    ]
    connection.rollback()  # SQLite: a reader that stays keeps the log of changes from being taken into the file
    try:
        return log.write(asking, answers, answered.rows, features.VERSION)
    except (OperationalError, TimeoutError) as error:
        raise NotLoggedError(f"the log of predictions cannot be written: {error}") from error
