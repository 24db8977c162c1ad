"""What is asked in a measurement: our API, of which no question is asked twice, and MLflow's server of that model."""

import base64
import itertools
import json
import sys
from collections.abc import Iterator
from urllib.parse import urlencode

import numpy as np
from sqlalchemy import select

from backend import accounts, clock
from backend.flights import features
from backend.model.serving import Serving
from backend.settings import Settings
from backend.store import events as log
from backend.store import sql
from backend.store.blobs import Blobs
from backend.store.documents import open_documents
from tests.bench.load import Connection, request

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MINUTES = 360  # before the data clock, over which questions are spread
LARGEST_NUMBER = 9999


class Asked:
    """Flights of the day after the data clock, and who asks about them."""

    def __init__(self, settings: Settings) -> None:
        accounts.first_start(settings, open_documents(settings.documents))
        self.settings = settings
        self._password = (settings.secrets / "admin-password").read_text(encoding="utf-8").strip()
        table, engine = sql.flights.c, sql.open_engine(settings.database_url)
        columns = (table.carrier, table.number, table.origin, table.dest, table.scheduled_departure)
        with engine.connect() as connection:
            self.now = log.data_clock(connection) or 0
            ahead = table.scheduled_departure.between(self.now + 6 * clock.HOUR, self.now + 16 * clock.HOUR)
            self._flights = [tuple(row) for row in connection.execute(select(*columns).where(ahead).order_by(table.id))]
        engine.dispose()

    def command(self, port: int) -> list[str]:
        """What starts our API."""
        return [sys.executable, "-m", "backend.serve", "--bind", f"127.0.0.1:{port}"]

    def answers(self, port: int) -> bool:
        """Whether somebody can log in there and gets a prediction."""
        try:
            with Connection(port) as connection:
                connection.ask(next(self.requests(1, self.bearer(port))))
        except ConnectionError:
            return False
        return True

    def bearer(self, port: int) -> dict[str, str]:
        """Log in there."""
        form = urlencode({"grant_type": "password", "username": "admin", "password": self._password})
        with Connection(port) as connection:
            token = json.loads(connection.ask(request("POST", "/token", form.encode(), FORM)))["access_token"]
        return {"Authorization": f"Bearer {token}"}

    def basic(self) -> dict[str, str]:
        """Name and password in every request."""
        both = base64.b64encode(f"admin:{self._password}".encode()).decode()
        return {"Authorization": f"Basic {both}"}

    def requests(self, flights: int, who: dict[str, str]) -> Iterator[bytes]:
        """Requests about so many flights each. Every question is a new one: nothing is answered from the log."""
        for number in itertools.count():
            lap, minute = divmod(number, MINUTES)
            asked = [self._flight(place) for place in range(lap * flights, (lap + 1) * flights)]
            body = {"flights": asked, "as_of": clock.iso(self.now - minute * clock.MINUTE)}
            yield request("POST", "/predict", json.dumps(body).encode(), JSON | who)

    def ready_made(self, flights: int) -> Iterator[bytes]:
        """The same for MLflow's server, which is given what the trees look at instead of flights."""
        here = Serving(Blobs(self.settings.blobs))
        chosen = [self._flights[place % len(self._flights)] for place in range(flights)]
        with sql.open_engine(self.settings.database_url).connect() as connection:
            bundle, _ = here.champion(connection)
            asked = features.flights_of([(*flight, None) for flight in chosen])
            rows = features.build(asked, np.full(flights, self.now), here.history(connection, self.now))
        content = {"columns": list(features.names()), "data": bundle.encoder.encode(rows).tolist()}
        # MLflow takes NaN, which is no JSON, for a number that is missing, and refuses null.
        body = json.dumps({"dataframe_split": content}).encode()
        return itertools.repeat(request("POST", "/invocations", body, JSON))

    def _flight(self, place: int) -> dict[str, object]:
        """A flight that is scheduled; once these have all been taken, one like it under another number."""
        lap, position = divmod(place, len(self._flights))
        carrier, number, origin, dest, departure = self._flights[position]
        if lap:
            number = 1 + (number + lap) % LARGEST_NUMBER
        said = {"carrier": carrier, "flight": number, "origin": origin, "dest": dest}
        return said | {"scheduled_departure": clock.iso(departure)}
