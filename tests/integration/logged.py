"""Answers in the log as a feeder would have got them in March, without a server: real features, a real bundle."""

from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import insert

from backend.clock import DAY, MINUTE
from backend.flights import features
from backend.flights.facts import unpack
from backend.model import bundle, dataset
from backend.store import deployments, ledger, predictions, sql
from backend.store.blobs import Blobs
from backend.store.predictions import Asking, Logged
from tests.conftest import World

FEEDER = "f" * 36
LEADS = (120, 1440)


def fill(world: World, first: date, last: date, version: int | None = None, account: str = FEEDER) -> int:
    """Asks that version (default: the champion) about the flights of those UTC days, each two hours and a day before
    departure; returns how many answers were logged."""
    engine, blobs = sql.open_engine(world.settings.database_url), Blobs(world.settings.blobs)
    begin, end = (date_.toordinal() - date(1970, 1, 1).toordinal() for date_ in (first, last))
    with sql.writing(engine) as connection:
        serving = deployments.current(connection)
        assert serving is not None
        trained = ledger.training_of(connection, version or serving.version)
        assert trained is not None
        model = bundle.read(blobs, trained["bundle"], trained["bundle_sha256"])
        here = dataset.load(connection, world.until)
        departure = here.flights.departure
        asked = np.flatnonzero((departure >= begin * DAY) & (departure < (end + 1) * DAY))
        names = sorted(here.facts.flights, key=here.facts.flights.__getitem__)
        values: list[dict[str, Any]] = []
        for lead in LEADS:
            rows = dataset.rows_at(here, asked, lead * MINUTE)
            for position, row, probability in zip(asked.tolist(), rows, model.probability(rows).tolist(), strict=True):
                as_of = int(departure[position]) - lead * MINUTE
                answer = Logged(
                    flight=names[position],
                    variant="",
                    dest=unpack(int(here.flights.dest[position])),
                    scheduled_departure=int(departure[position]),
                    scheduled_arrival=int(here.flights.arrival[position]),
                    seq=here.facts.seq,
                    version=model.version,
                    probability=probability,
                    base_rate=trained["base_rate"],
                    shadow_version=None,
                    shadow_probability=None,
                )
                packed = {"feature_list": features.VERSION, "features": predictions.pack(row)}
                values.append(answer._asdict() | Asking(account, as_of, as_of, past=False)._asdict() | packed)
        connection.execute(insert(sql.predictions), values)
    engine.dispose()
    return len(values)
