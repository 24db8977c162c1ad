"""The parts of a running Pushback, as commands, and the loop that runs them side by side until one of them ends."""

import multiprocessing
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from honcho import manager as honcho

from backend.settings import Settings
from jobs.launch import instance
from jobs.launch.preflight import has_remote_mlflow

PATIENCE_SECONDS = 12  # the API finishes what it answers within 10


def environment(settings: Settings) -> dict[str, str]:
    """What each part finds in its environment, beside what the launcher itself was started with."""
    return {
        instance.MARK: str(settings.home),
        "PUSHBACK_HOME": str(settings.home),
        "PUSHBACK_SECRETS": str(settings.secrets),
        "DATABASE_URL": settings.database_url,
        "RESEARCH_URL": settings.research_url,
        "DOCUMENTS_URL": settings.documents_url,
        "BLOBS_URL": settings.blobs_url,
        "MLFLOW_TRACKING_URI": settings.mlflow_uri,
        "PUSHBACK_HOST": settings.host,
        "PUSHBACK_MODE": settings.mode,
        "LOG_LEVEL": settings.log_level,
        "LOG_FOLDER": str(settings.log_folder or settings.home / "logs"),
        "API_PORT": str(settings.api_port),
        "UI_PORT": str(settings.ui_port),
        "MLFLOW_PORT": str(settings.mlflow_port),
        "API_URL": f"http://{reachable(settings.host)}:{settings.api_port}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # its own queue; ours is jobs.worker
        "DO_NOT_TRACK": "true",
        "FORWARDED_ALLOW_IPS": "",  # the servers of app and MLflow believe no proxy; PUSHBACK_PROXIES is ours
        "PYTHONUNBUFFERED": "1",
    }


def reachable(host: str) -> str:
    """The address at which this machine reaches what listens on `host`."""
    return "127.0.0.1" if host in {"", "0.0.0.0", "::"} else host  # noqa: S104


def commands(settings: Settings, breaks: Sequence[str] = ()) -> dict[str, list[str]]:
    """The command of each part, by its name. `breaks` are what the replay of a rehearsal breaks on purpose."""
    ui = ["streamlit", "run", "ui/app.py", "--server.address", settings.host, "--server.port", str(settings.ui_port)]
    ui += ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
    parts = {
        "api": ["backend.serve"],
        "worker": ["jobs.worker"],
        "scheduler": ["jobs.scheduler"],
        "ui": ui,
    }
    if settings.mode == "replay":
        parts["replay"] = ["jobs.replay", "--stay", *(word for each in breaks for word in ("--break", each))]
    if not has_remote_mlflow(settings):
        parts["mlflow"] = _mlflow(settings)
    return {name: [sys.executable, "-m", *words] for name, words in parts.items()}


def _mlflow(settings: Settings) -> list[str]:
    # It knows no accounts, so it listens on this machine alone, whatever PUSHBACK_HOST says.
    names = [f"{name}:{settings.mlflow_port}" for name in ("127.0.0.1", "localhost", "mlflow.localhost")]
    artifacts = str(settings.home / "mlflow" / "artifacts")
    words = ["mlflow", "server", "--backend-store-uri", settings.mlflow_uri, "--host", "127.0.0.1"]
    words += ["--port", str(settings.mlflow_port), "--workers", "1", "--artifacts-destination", artifacts]
    words += [
        "--allowed-hosts",
        ",".join(names),
        "--cors-allowed-origins",
        ",".join(f"http://{name}" for name in names),
    ]
    return [*words, "--x-frame-options", "NONE", "--uvicorn-opts", "--log-level warning"]


def run(parts: dict[str, list[str]], home: Path) -> bool:
    """Runs the parts until a signal comes or one of them ends, then stops all; True if a signal ended them."""
    multiprocessing.set_start_method("fork", force=True)  # honcho's watchers inherit the lock by it
    honcho.KILL_WAIT = PATIENCE_SECONDS
    processes = _Processes(home)
    for name, words in parts.items():
        processes.add_process(name, "exec " + shlex.join(words))
    processes.loop()
    return processes.returncode in {130, 143}  # honcho's for SIGINT and SIGTERM


class _Processes(honcho.Manager):
    """Honcho's manager, which asks the process group of each part to end. What does not listen, or has left its group
    (honcho waits for its output too), is killed by the mark that it carries."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.home = home

    def terminate(self) -> None:
        super().terminate()
        killer = threading.Timer(PATIENCE_SECONDS, self.kill)
        killer.daemon = True
        killer.start()

    def kill(self) -> None:
        instance.end(instance.processes_of(self.home), patience_seconds=1)


def stop_on_signals() -> None:
    """Lets SIGINT, SIGTERM and a closed terminal end the launcher in the same orderly way, also before `run`."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def hang_up(_signal: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGTERM)

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, hang_up)
