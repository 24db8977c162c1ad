"""POST /predict: how likely each flight is to be disrupted, from what was known at a moment."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import AwareDatetime, BaseModel, Field, model_validator
from sqlalchemy import Connection, select

from backend import clock
from backend.api import context, schemas
from backend.api.auth import VIEWER, auth
from backend.api.errors import Problem
from backend.flights import features
from backend.model import scoring
from backend.model.serving import NoChampionError
from backend.store import events as log
from backend.store import sql

bp = APIBlueprint("predictions", __name__, tag="Predictions")

MOST_FLIGHTS = 1000
FEEDS = [*VIEWER, "feeder"]


class AskedFlight(schemas.Body):
    """A flight by its `id`, if its schedule is known, or by its schedule."""

    id: str | None = Field(default=None, max_length=40, examples=["2013-04-01.UA.1545.EWR"])
    carrier: str | None = Field(default=None, pattern="^[A-Z0-9]{2,3}$", examples=["UA"])
    flight: int | None = Field(default=None, ge=1, le=9999, examples=[1545])
    origin: str | None = Field(default=None, pattern="^[A-Z0-9]{3,4}$", examples=["EWR"])
    dest: str | None = Field(default=None, pattern="^[A-Z0-9]{3,4}$", examples=["IAH"])
    scheduled_departure: AwareDatetime | None = Field(default=None, examples=["2013-04-01T09:15:00Z"])
    scheduled_arrival: AwareDatetime | None = Field(
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

    flights: list[AskedFlight] = Field(min_length=1, max_length=MOST_FLIGHTS)
    as_of: AwareDatetime | None = Field(
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


class Predictions(BaseModel):
    """The answers, in the order of the questions."""

    predictions: list[Prediction]


# carrier, number, origin, dest, departure, arrival; and the id where the schedule is stored.
_Row = tuple[str, int, str, str, int, int | None]


@bp.post("/predict")
@bp.auth_required(auth, roles=FEEDS)
@bp.input(Question, arg_name="question")
@bp.output(Predictions)
def predict(question: Question) -> dict[str, Any]:
    """Predict disruptions

    For 1 to 1,000 flights that depart within 24 hours after `as_of`: the probability that each is disrupted.
    """
    here = context.get()
    with here.engine.connect() as connection:
        now = log.data_clock(connection)
        if now is None:
            raise Problem(503, "Not ready", "There are no facts yet: run python -m jobs.ingest.")
        as_of = _moment(question, now)
        asked = [_resolved(connection, flight, place) for place, flight in enumerate(question.flights)]
        _check(connection, [row for row, _ in asked], as_of)
        try:
            answer = here.serving.answer(connection, features.flights_of([row for row, _ in asked]), as_of)
        except NoChampionError as error:
            raise Problem(503, "Not ready", str(error)) from error
    return {
        "predictions": [
            {
                "id": identity,
                "carrier": row[0],
                "flight": row[1],
                "origin": row[2],
                "dest": row[3],
                "scheduled_departure": clock.iso(row[4]),
                "probability": probability,
                "band": scoring.band(probability),
                "lead_time_minutes": (row[4] - as_of) // clock.MINUTE,
                "model_version": str(answer.version),
                "as_of": clock.iso(as_of),
                "seq": answer.seq,
                "base_rate": answer.metadata["base_rate"],
            }
            for (row, identity), probability in zip(asked, answer.probability.tolist(), strict=True)
        ]
    }


def _moment(question: Question, now: int) -> int:
    if question.as_of is None:
        return now
    as_of = clock.to_epoch(question.as_of)
    if as_of > now:
        reason = f"is in the future: the data clock stands at {clock.iso(now)}"
        raise Problem(422, "as_of is in the future", f"as_of {reason}.", [{"pointer": "/as_of", "reason": reason}])
    if as_of < 0:
        raise Problem(422, "as_of is too early", "There is no data from before 1970.", [{"pointer": "/as_of"}])
    return as_of


def _resolved(connection: Connection, asked: AskedFlight, place: int) -> tuple[_Row, str | None]:
    """The flight's schedule, and its id if that is stored. Raises Problem 404 for an id that is not."""
    columns = sql.flights.c
    schedule = (columns.carrier, columns.number, columns.origin, columns.dest)
    stored = select(*schedule, columns.scheduled_departure, columns.scheduled_arrival, columns.id)
    if asked.id is not None:
        row = connection.execute(stored.where(columns.id == asked.id)).first()
        if row is None:
            reason = "no flight with this id is known: GET /flights lists those that are"
            errors = [{"pointer": f"/flights/{place}/id", "reason": reason}]
            raise Problem(404, "No such flight", f"Flight {place}: {reason}.", errors)
        return tuple(row[:6]), row.id
    assert asked.carrier and asked.flight and asked.origin and asked.dest and asked.scheduled_departure
    departure = clock.to_epoch(asked.scheduled_departure)
    arrival = None if asked.scheduled_arrival is None else clock.to_epoch(asked.scheduled_arrival)
    same = (columns.scheduled_departure == departure) & (columns.origin == asked.origin)
    same &= (columns.carrier == asked.carrier) & (columns.number == asked.flight) & (columns.dest == asked.dest)
    row = connection.execute(stored.where(same)).first()
    if row is not None and arrival is None:
        arrival = row.scheduled_arrival
    identity = None if row is None else row.id
    return (asked.carrier, asked.flight, asked.origin, asked.dest, departure, arrival), identity


def _check(connection: Connection, rows: list[_Row], as_of: int) -> None:
    """Raises Problem 422 that names every flight that cannot be asked about, and why."""
    known_carriers = set(connection.scalars(select(sql.airlines.c.code)))
    airports = sql.airports.c.code
    named = {code for row in rows for code in row[2:4]}
    known_airports = set(connection.scalars(select(airports).where(airports.in_(named))))
    errors: list[dict[str, Any]] = []
    for place, (carrier, _, origin, dest, departure, arrival) in enumerate(rows):
        where = f"/flights/{place}"
        if carrier not in known_carriers:
            accepted = sorted(known_carriers)
            errors.append({"pointer": f"{where}/carrier", "reason": "is not a known carrier", "accepted": accepted})
        for name, code in (("origin", origin), ("dest", dest)):
            if code not in known_airports:
                errors.append({"pointer": f"{where}/{name}", "reason": "is not a known airport"})
        if departure < as_of:
            reason = f"the flight's departure had passed at {clock.iso(as_of)}: ask before it"
            errors.append({"pointer": f"{where}/scheduled_departure", "reason": reason})
        elif departure > as_of + features.LONGEST_LEAD:
            reason = f"is more than 24 hours after {clock.iso(as_of)}: ask later"
            errors.append({"pointer": f"{where}/scheduled_departure", "reason": reason})
        if arrival is not None and not departure < arrival <= departure + clock.DAY:
            reason = "is not within 24 hours after the scheduled departure"
            errors.append({"pointer": f"{where}/scheduled_arrival", "reason": reason})
    if errors:
        first = errors[0]
        detail = f"{first['pointer']} {first['reason']}." + (
            f" {len(errors)} faults in all." if len(errors) > 1 else ""
        )
        raise Problem(422, "These flights cannot be predicted", detail, errors)
