"""POST /predict: how likely each flight is to be disrupted, from what was known at a moment."""

import json
import logging
from collections.abc import Sequence
from typing import Annotated, Any

from apiflask import APIBlueprint
from flask import Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Connection

from backend import clock
from backend.api import context, explanations, schemas
from backend.api.auth import VIEWER, auth, current_account
from backend.api.errors import Problem
from backend.api.explanations import Options, Reasons
from backend.flights import asked
from backend.flights.asked import Fault, Schedule
from backend.model import answering, explain, scoring
from backend.model.answering import NotLoggedError
from backend.model.explain import Explanation
from backend.model.serving import NoChampionError
from backend.monitoring import metrics
from backend.store import events as log
from backend.store import schedules
from backend.store.predictions import Asking, Logged

logger = logging.getLogger(__name__)
bp = APIBlueprint("predictions", __name__, tag="Predictions")

MOST_FLIGHTS = 1000
FEEDS = [*VIEWER, "feeder"]
AIRPORTS = "the code of an airport that GET /status or GET /flights shows"


SCHEDULE = ("carrier", "flight", "origin", "dest", "scheduled_departure")
ABSENT = {"type": "null"}
# The two ways to ask in the words of JSON Schema; `AskedFlight.one_way` holds them.
ONE_WAY: dict[str, Any] = {
    "anyOf": [
        {
            "required": ["id"],
            "properties": {"id": {"type": "string"}} | dict.fromkeys((*SCHEDULE, "scheduled_arrival"), ABSENT),
        },
        {
            "required": list(SCHEDULE),
            "properties": {"id": ABSENT, "flight": {"type": "integer"}}
            | {name: {"type": "string"} for name in SCHEDULE if name != "flight"},
        },
    ]
}
EXAMPLE: dict[str, Any] = {
    "flights": [
        {
            "carrier": "UA",
            "flight": 1545,
            "origin": "EWR",
            "dest": "IAH",
            "scheduled_departure": "2013-04-01T09:15:00Z",
        },
        {"id": "2013-04-01.B6.725.JFK"},
    ]
}


class AskedFlight(schemas.Body):
    """A flight by its `id`, if its schedule is known, or by its schedule."""

    model_config = ConfigDict(json_schema_extra=ONE_WAY)

    id: str | None = Field(default=None, max_length=40, examples=["2013-04-01.UA.1545.EWR"])
    carrier: str | None = Field(default=None, pattern="^[A-Z0-9]{2,3}$", examples=["UA"])
    flight: Annotated[int, Field(ge=1, le=9999), schemas.WHOLE] | None = Field(default=None, examples=[1545])
    origin: str | None = Field(default=None, pattern="^[A-Z0-9]{3,4}$", examples=["EWR"])
    dest: str | None = Field(default=None, pattern="^[A-Z0-9]{3,4}$", examples=["IAH"])
    scheduled_departure: schemas.Moment | None = Field(default=None, examples=["2013-04-01T09:15:00Z"])
    scheduled_arrival: schemas.Moment | None = Field(
        default=None,
        description="taken from the stored schedule or from what is usual on the route where it is left out",
    )

    @model_validator(mode="after")
    def one_way(self) -> "AskedFlight":
        """Either the id alone, or the whole schedule."""
        schedule = (self.carrier, self.flight, self.origin, self.dest, self.scheduled_departure)
        if self.id is None and None in schedule:
            raise ValueError("give id, or carrier, flight, origin, dest and scheduled_departure")
        if self.id is not None and any(value is not None for value in (*schedule, self.scheduled_arrival)):
            raise ValueError("give id alone, or the schedule without it")
        return self


class Question(schemas.Body):
    """Which flights, and from what was known when."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    flights: list[AskedFlight] = Field(min_length=1, max_length=MOST_FLIGHTS)
    as_of: schemas.Moment | None = Field(
        default=None,
        description="whose knowledge is used; by default the data clock",
        examples=["2013-04-01T04:00:00Z"],
    )


class Prediction(BaseModel):
    """One flight's risk."""

    id: str | None = Field(description="the flight's id if its schedule is stored")
    carrier: str
    flight: int
    origin: str
    dest: str
    scheduled_departure: str
    probability: float = Field(
        ge=0, le=1, description="of arriving 15 minutes late or more, a diversion, a cancellation"
    )
    band: str = Field(description="low below 0.20, high from 0.45, medium between", examples=["medium"])
    lead_time_minutes: int = Field(description="from as_of to the scheduled departure")
    model_version: str
    as_of: str
    seq: int = Field(description="the newest fact that was recorded when this was computed")
    base_rate: float = Field(description="the share of flights that were disrupted in what the model learned from")
    explanation: Reasons | None = Field(description="why, where `explain=true` asked for it")
    explanation_missing: str | None = Field(description="a sentence, where reasons were asked for and there are none")


class Predictions(BaseModel):
    """The answers, in the order of the questions."""

    predictions: list[Prediction]


@bp.post("/predict")
@bp.auth_required(auth, roles=FEEDS)
@bp.input(Options, location="query", arg_name="options")
@bp.input(Question, arg_name="question")
@bp.output(Predictions)
@bp.doc(responses={404: "No such flight"})
def predict(options: Options, question: Question) -> Response:
    """Predict disruptions

    For 1 to 1,000 flights that depart within 24 hours after `as_of`: the probability that each is disrupted. The same
    question gets the same answer, with `explain=true` the reasons for that answer.
    """
    explanations.check(options.explain, len(question.flights))
    here, account = context.get(), current_account().id
    with here.engine.connect() as connection:
        now = log.data_clock(connection)
        if now is None:
            raise Problem(503, "Not ready", "There are no facts yet: run python -m jobs.ingest.")
        as_of = _moment(connection, question, now)
        found = schedules.resolve(connection, [_question(flight) for flight in question.flights], as_of)
        wanted = [schedule for schedule in found if isinstance(schedule, Schedule)]
        if len(wanted) < len(found):
            raise _refused(found)
        asking = Asking(account, here.now(), as_of, past=as_of < now)
        try:
            answers = answering.answer(here.answer_log, connection, here.serving, wanted, asking)
        except NoChampionError as error:
            raise Problem(503, "Not ready", str(error)) from error
        except NotLoggedError as error:
            logger.exception("POST /predict failed")
            detail = "An answer counts only once it is in the log, and the log cannot be written at this moment."
            raise Problem(503, "Not logged", detail, headers={"Retry-After": "5"}) from error
        why: Sequence[Explanation | str | None] = [None] * len(answers)
        if options.explain:
            why = explain.of_answers(connection, here.serving, asking, answers)
    metrics.predicted((answer.version, answer.probability) for answer in answers)
    said = {"predictions": [_as_json(*each, as_of) for each in zip(wanted, answers, why, strict=True)]}
    # Not checked against the schema once more: for a thousand flights that takes longer than to answer them.
    return Response(json.dumps(said), content_type="application/json")


def _as_json(schedule: Schedule, logged: Logged, why: Explanation | str | None, as_of: int) -> dict[str, Any]:
    return {
        "id": schedule.flight if schedule.stored else None,
        "carrier": schedule.carrier,
        "flight": schedule.number,
        "origin": schedule.origin,
        "dest": logged.dest,
        "scheduled_departure": clock.iso(logged.scheduled_departure),
        "probability": logged.probability,
        "band": scoring.band(logged.probability),
        "lead_time_minutes": (logged.scheduled_departure - as_of) // clock.MINUTE,
        "model_version": str(logged.version),
        "as_of": clock.iso(as_of),
        "seq": logged.seq,
        "base_rate": logged.base_rate,
        **explanations.as_json(why),
    }


def _question(flight: AskedFlight) -> asked.Question:
    if flight.id is not None:
        return asked.Question(flight.id)
    assert flight.carrier and flight.flight and flight.origin and flight.dest and flight.scheduled_departure
    departure = clock.to_epoch(flight.scheduled_departure)
    arrival = None if flight.scheduled_arrival is None else clock.to_epoch(flight.scheduled_arrival)
    return asked.Question(None, flight.carrier, flight.flight, flight.origin, flight.dest, departure, arrival)


def _moment(connection: Connection, question: Question, now: int) -> int:
    if question.as_of is None:
        return now
    as_of = clock.to_epoch(question.as_of)
    if as_of > now:
        reason = f"is in the future: the data clock stands at {clock.iso(now)}"
        raise Problem(422, "as_of is in the future", f"as_of {reason}.", [{"pointer": "/as_of", "reason": reason}])
    first = log.first_known(connection)
    if first is not None and as_of < first:
        reason = f"is before the data: the first fact became known at {clock.iso(first)}"
        raise Problem(422, "as_of is too early", f"as_of {reason}.", [{"pointer": "/as_of", "reason": reason}])
    return as_of


def _refused(found: list[Schedule | list[Fault]]) -> Problem:
    """The problem that names every flight that cannot be asked about, and why: 404 where all that lacks are ids."""
    faults = [(place, fault) for place, said in enumerate(found) if isinstance(said, list) for fault in said]
    errors: list[dict[str, Any]] = []
    for place, fault in faults:
        error: dict[str, Any] = {"pointer": f"/flights/{place}/{fault.field}", "reason": fault.reason}
        accepted = AIRPORTS if fault.field in ("origin", "dest") else list(fault.accepted)
        errors.append(error | ({"accepted": accepted} if accepted else {}))
    more = f" {len(errors)} faults in all." if len(errors) > 1 else ""
    detail = f"{errors[0]['pointer']} {errors[0]['reason']}.{more}"
    if all(fault.reason == asked.NOT_STORED for _, fault in faults):
        return Problem(404, "No such flight", f"{detail} GET /flights lists those that are.", errors)
    return Problem(422, "These flights cannot be predicted", detail, errors)
