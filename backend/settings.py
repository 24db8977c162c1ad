"""Where this installation keeps things and how it listens: the only module that reads the environment."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# The first of each is the default.
MODES = ("replay", "live")
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?|https?://\[[0-9a-f:]+\](:[0-9]+)?")
LOG_LEVELS = ("INFO", "DEBUG", "WARNING", "ERROR")


@dataclass(frozen=True)
class Settings:
    """One installation. Ports are TCP ports on `host`; URLs are SQLAlchemy's or MLflow's; `dask_scheduler` is a Dask
    scheduler's, or empty for a pool of each process's own. `mode` is `replay`, where a client moves the data clock, or
    `live`, where it is the wall clock. `log_folder` is where each part keeps its log; without one it goes to stderr.
    In `metrics_folder` the API's worker processes count together; without one, each process has its own figures.
    `proxies` stand in front of the API, and `origins` are those whose pages may write, beside its own. Without
    `documents_url` and `blobs_url` documents and files are in the state folder."""

    home: Path
    database_url: str
    research_url: str
    mlflow_uri: str
    dask_scheduler: str = ""
    host: str = "127.0.0.1"
    api_port: int = 8000
    ui_port: int = 8501
    mlflow_port: int = 5000
    mode: str = "replay"
    secrets_folder: Path | None = None
    log_level: str = "INFO"
    log_folder: Path | None = None
    metrics_folder: Path | None = None
    proxies: int = 0
    origins: tuple[str, ...] = ()
    documents_url: str = ""
    blobs_url: str = ""

    @property
    def secrets(self) -> Path:
        """The folder of generated secrets, one file each, mode 0600; it may be one that is mounted read-only."""
        return self.secrets_folder or self.home / "secrets"

    @property
    def documents(self) -> Path | str:
        """Where accounts and settings are: the TinyDB file, or the URL of the PostgreSQL that takes its place."""
        return self.documents_url or self.home / "documents.json"

    @property
    def blobs(self) -> str:
        """The root of the blob store, as an fsspec URL or a folder."""
        return self.blobs_url or str(self.home / "blobs")

    @property
    def api_url(self) -> str:
        """Where clients on this machine reach the API."""
        return f"http://{self.host}:{self.api_port}"


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process.

    docs/operations.md says what each variable is for. One that is empty is one that is not set. Raises ValueError for a
    port, a mode, a level, a number of proxies, an origin or a place of documents that is none.
    """
    environ = {name: value for name, value in environ.items() if value}
    home = Path(environ.get("PUSHBACK_HOME", "var")).expanduser().resolve()

    def port(names: Sequence[str], default: int) -> int:
        name = next((name for name in names if name in environ), names[0])
        text = environ.get(name, str(default))
        if not text.isdecimal() or not 0 < int(text) < 65536:
            raise ValueError(f"{name}={text!r} is not a TCP port: give a number from 1 to 65535")
        return int(text)

    def one_of(name: str, accepted: Sequence[str]) -> str:
        text = environ.get(name, accepted[0])
        if text not in accepted:
            raise ValueError(f"{name}={text!r} is not known: give {' or '.join(accepted)}")
        return text

    proxies = environ.get("PUSHBACK_PROXIES", "0")
    if not re.fullmatch("[0-9]", proxies, re.ASCII):
        raise ValueError(f"PUSHBACK_PROXIES={proxies!r} is no number of proxies: give 0 to 9")

    documents = environ.get("DOCUMENTS_URL", "")
    if documents and not documents.startswith("postgresql://"):  # what it says is not repeated: there may be a password
        raise ValueError(
            "DOCUMENTS_URL is no PostgreSQL: give postgresql://…, or nothing for a file in the state folder"
        )

    return Settings(
        home=home,
        database_url=environ.get("DATABASE_URL", f"sqlite:///{home}/live.db"),
        research_url=environ.get("RESEARCH_URL", f"sqlite:///{home}/research.db"),
        mlflow_uri=environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{home}/mlflow/mlflow.db"),
        dask_scheduler=environ.get("DASK_SCHEDULER", ""),
        host=environ.get("PUSHBACK_HOST", "127.0.0.1"),
        api_port=port(("API_PORT", "PORT"), 8000),
        ui_port=port(("UI_PORT",), 8501),
        mlflow_port=port(("MLFLOW_PORT",), 5000),
        mode=one_of("PUSHBACK_MODE", MODES),
        secrets_folder=_folder(environ.get("PUSHBACK_SECRETS", "")),
        log_level=one_of("LOG_LEVEL", LOG_LEVELS),
        log_folder=_folder(environ.get("LOG_FOLDER", "")),
        metrics_folder=_folder(environ.get("PROMETHEUS_MULTIPROC_DIR", "")),
        proxies=int(proxies),
        origins=_origins(environ.get("PUSHBACK_ORIGINS", "")),
        documents_url=documents,
        blobs_url=environ.get("BLOBS_URL", ""),
    )


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(text.replace(",", " ").split())
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise ValueError(f"PUSHBACK_ORIGINS: {origin!r} is no origin: give it like https://pushback.example:8443")
    return origins


def _folder(name: str) -> Path | None:
    return Path(name).expanduser().resolve() if name else None
