"""Our whole way to a prediction against `mlflow models serve`, which is given the features: one model, one machine.

Ours checks a token, validates the question, looks the features up in 28 days of history, scores, and commits the answer
to its log. MLflow's parses numbers and scores.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from backend.model.tracking import MODEL
from backend.settings import Settings
from backend.store import deployments, sql
from jobs.launch import free
from tests.bench import load, servers
from tests.bench.load import Load
from tests.bench.ours import Asked
from tests.bench.servers import Server

SIZES = (1, 10, 100, 1000)
CLIENTS = 4
WORKERS = 2
SECONDS = 5.0


class Row(NamedTuple):
    """A line of the table: who answered how many flights a request, how fast; at start also what starting took."""

    name: str
    flights: int
    load: Load
    cold_seconds: float | None = None
    mib: float | None = None


def measure(settings: Settings, environment: dict[str, str]) -> list[Row]:
    """All lines, one server after the other."""
    asked = Asked(settings)
    return [*ours(asked, environment), *mlflows(settings, asked, environment)]


def ours(asked: Asked, environment: dict[str, str], sizes: tuple[int, ...] = SIZES) -> list[Row]:
    """Our API, by Bearer; at last one flight by Basic, whose every request costs a check of the password."""
    port = free.port()
    log = asked.settings.home / "api.log"
    with servers.running(asked.command(port), environment, port, asked.answers, log) as server:
        who = asked.bearer(port)
        rows = [_row("Pushback", server, size, asked.requests(size, who)) for size in sizes]
        if len(sizes) > 1:
            by_basic = load.run(port, asked.requests(1, asked.basic()), SECONDS, 1)
            rows.append(Row("Pushback by Basic, 1 client", 1, by_basic))
    return rows


def mlflows(settings: Settings, asked: Asked, environment: dict[str, str]) -> list[Row]:
    """MLflow's server with the champion."""
    with sql.open_engine(settings.database_url).connect() as connection:
        champion = deployments.current(connection)
    assert champion is not None
    port = free.port()
    bodies = {size: asked.ready_made(size) for size in SIZES}

    def answers(at: int) -> bool:
        try:
            with load.Connection(at) as connection:
                connection.ask(next(bodies[1]))
        except ConnectionError:
            return False
        return True

    model = ["--model-uri", f"models:/{MODEL}/{champion.version}", "--env-manager", "local"]
    where = ["--host", "127.0.0.1", "--port", str(port), "--workers", str(WORKERS)]
    # It starts its server by name, and is quickest where each of its workers keeps to one thread.
    more = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "mlflow", "models", "serve", *model, *where]
    with servers.running(command, environment | more, port, answers, settings.home / "mlflow.log") as server:
        return [_row("mlflow models serve", server, size, bodies[size]) for size in SIZES]


def _row(name: str, server: Server, size: int, requests: Any) -> Row:
    found = load.run(server.port, requests, SECONDS, CLIENTS)
    first = size == SIZES[0]
    return Row(name, size, found, server.cold_seconds if first else None, server.mib() if first else None)


def table(rows: list[Row]) -> str:
    """The lines as Markdown."""
    head = "| server | flights a request | requests/s | p50 | p99 | start to first answer | memory |\n"
    return head + "| --- | --- | --- | --- | --- | --- | --- |\n" + "\n".join(map(_line, rows)) + "\n"


def _line(row: Row) -> str:
    cold = "" if row.cold_seconds is None else f"{row.cold_seconds:.1f} s"
    mib = "" if row.mib is None else f"{row.mib:,.0f} MiB"
    speed = f"{row.load.per_second:,.0f} | {row.load.p50 * 1000:,.1f} ms | {row.load.p99 * 1000:,.1f} ms"
    return f"| {row.name} | {row.flights:,} | {speed} | {cold} | {mib} |"


def ratio(rows: list[Row]) -> float:
    """How many times as many requests about one flight ours answers."""
    one = [row.load.per_second for row in rows if row.flights == 1 and row.name in ("Pushback", "mlflow models serve")]
    return one[0] / one[1]


def as_json(rows: list[Row]) -> list[dict[str, Any]]:
    """The lines for bench.json."""
    said: list[dict[str, Any]] = json.loads(json.dumps([row._asdict() | row.load._asdict() for row in rows]))
    for row in said:
        del row["load"]
    return said
