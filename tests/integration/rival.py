"""A process that logs answers to the questions that others are asked too; it imports no more than that takes."""

from typing import Any

import numpy as np

from backend.store import predictions, sql
from backend.store.predictions import Asking, Logged

FLIGHTS, MOMENTS = 20, 25


def answers(version: int) -> list[Logged]:
    """What that version says of FLIGHTS flights, in an order of its own."""
    flights = range(FLIGHTS)[:: 1 if version % 2 else -1]
    ids = [f"2013-04-01.UA.{number}.EWR" for number in flights]
    return [Logged(flight, "", "IAH", 10, None, 5, version, version / 100, 0.25, None, None) for flight in ids]


def ask(url: str, version: int, start: Any, told: Any) -> None:
    """For MOMENTS moments, log them and put (moment, {flight: the version that is to answer}) into a queue."""
    engine = sql.open_engine(url)
    rows = np.full((FLIGHTS, 3), version, np.float64)
    start.wait()
    for moment in range(MOMENTS):
        with sql.writing(engine) as connection:
            logged = predictions.log(connection, Asking("a", 1, moment, False), answers(version), rows, "1")
        told.put((moment, {flight: said.version for (flight, _), said in logged.items()}))
