"""The research store: it holds the whole year, for back-tests only, and the first of them fills it."""

import sys

from backend.model import dataset
from backend.model.dataset import World
from backend.settings import Settings
from backend.store import events as log
from backend.store import migrate, sql
from jobs import ingest

ALL_TIME = 1 << 33


def load(settings: Settings) -> World:
    """The whole research store, which is filled from the embedded source where it is empty."""
    engine = sql.open_engine(settings.research_url)
    migrate.upgrade(engine)
    with engine.connect() as connection:
        empty = log.data_clock(connection) is None
    if empty:
        print("The research store is empty: filling it with the whole year.", file=sys.stderr)
        until = ingest.cut(ingest.AFTER_THE_YEAR)
        print(ingest.ingest(engine, ingest.packaged(until), until), file=sys.stderr)
    with engine.connect() as connection:
        return dataset.load(connection, ALL_TIME)
