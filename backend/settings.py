"""Where this installation keeps things and how it listens: the only module that reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """One installation. Ports are TCP ports on `host`; URLs are SQLAlchemy's or MLflow's; `dask_scheduler` is a Dask
    scheduler's, or empty for a pool of each process's own."""

    home: Path
    database_url: str
    research_url: str
    mlflow_uri: str
    dask_scheduler: str = ""
    host: str = "127.0.0.1"
    api_port: int = 8000
    ui_port: int = 8501
    mlflow_port: int = 5000

    @property
    def secrets(self) -> Path:
        """The folder of generated secrets, one file each, mode 0600."""
        return self.home / "secrets"

    @property
    def documents(self) -> Path:
        """The TinyDB file that holds accounts and settings."""
        return self.home / "documents.json"

    @property
    def blobs(self) -> str:
        """The root of the blob store, as an fsspec URL or a folder."""
        return str(self.home / "blobs")

    @property
    def api_url(self) -> str:
        """Where clients on this machine reach the API."""
        return f"http://{self.host}:{self.api_port}"


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process.

    Reads PUSHBACK_HOME (default: `var` in the current folder), DATABASE_URL, RESEARCH_URL, MLFLOW_TRACKING_URI,
    DASK_SCHEDULER, PUSHBACK_HOST, API_PORT, UI_PORT and MLFLOW_PORT. Raises ValueError for a port that is not a number.
    """
    home = Path(environ.get("PUSHBACK_HOME", "var")).expanduser().resolve()

    def port(name: str, default: int) -> int:
        text = environ.get(name, str(default))
        if not text.isdecimal() or not 0 < int(text) < 65536:
            raise ValueError(f"{name}={text!r} is not a TCP port: give a number from 1 to 65535")
        return int(text)

    return Settings(
        home=home,
        database_url=environ.get("DATABASE_URL", f"sqlite:///{home}/live.db"),
        research_url=environ.get("RESEARCH_URL", f"sqlite:///{home}/research.db"),
        mlflow_uri=environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{home}/mlflow/mlflow.db"),
        dask_scheduler=environ.get("DASK_SCHEDULER", ""),
        host=environ.get("PUSHBACK_HOST", "127.0.0.1"),
        api_port=port("API_PORT", 8000),
        ui_port=port("UI_PORT", 8501),
        mlflow_port=port("MLFLOW_PORT", 5000),
    )
