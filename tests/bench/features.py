"""Features of every flight of the research store, 2 h before its departure."""

import json
import time

from backend.clock import HOUR
from backend.settings import Settings


def of_the_year(settings: Settings) -> None:
    """Build them and write how long each half took into features.json of the state folder."""
    # Imported here, since a child's peak memory starts at that of the process that started it.
    import numpy as np  # pylint: disable=import-outside-toplevel

    from backend.model import dataset  # pylint: disable=import-outside-toplevel
    from backend.store import events, sql  # pylint: disable=import-outside-toplevel

    started = time.monotonic()
    with sql.open_engine(settings.research_url).connect() as connection:
        here = dataset.load(connection, events.data_clock(connection) or 0)
    loaded = time.monotonic()
    rows = dataset.rows_at(here, np.arange(len(here.flights)), 2 * HOUR)
    said = {
        "  of which reading the log and summing its history": loaded - started,
        f"  of which building {len(rows):,} rows": time.monotonic() - loaded,
    }
    (settings.home / "features.json").write_text(json.dumps(said), encoding="utf-8")
