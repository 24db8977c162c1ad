"""Runs and versions in MLflow. Imported by jobs only: MLflow takes two seconds to import."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.pandas_dataset import from_pandas
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from backend.flights import features
from backend.model import card
from backend.model.train import Fitted
from backend.settings import Settings

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MODEL = "pushback"
EXPERIMENT = "pushback"
REQUIREMENTS = ["lightgbm", "numpy"]
PATIENCE_SECONDS = 5.0


class TrackingError(RuntimeError):
    """MLflow cannot be used, and why."""


class Run(NamedTuple):
    """What is logged of one training. `documents` become files of the run (text, or JSON of anything else); `example`
    is a sample of the training rows, logged as its data set with its `digest` and what `source` says of its origin."""

    parameters: dict[str, Any]
    metrics: dict[str, float]
    documents: dict[str, Any]
    tags: dict[str, str]
    example: pd.DataFrame
    digest: str
    source: dict[str, Any]


def run_of(metadata: dict[str, Any], fitted: Fitted, rows: Floats, labels: Ints) -> Run:
    """What is logged of a version, from its metadata and the rows (n, f) and labels (n,) that it was fitted on."""
    metrics = {f"{name}_2h": value for name, value in metadata["metrics"].items()}
    metrics |= {f"baseline_{name}_2h": value for name, value in metadata["baseline"].items()}
    for lead in metadata["by_lead"]:
        metrics |= {f"{name}_{lead['lead_hours']}h": lead[name] for name in ("auc", "brier", "calibration_error")}
    metrics |= {name: metadata[name] for name in ("flights", "rows", "base_rate")}
    names = list(features.names())
    return Run(
        parameters=metadata["parameters"]
        | {name: metadata[name] for name in ("seed", "data_from", "data_until", "fitted_until")}
        | {f"calibration_{name}": value for name, value in asdict(fitted.calibration).items()}
        | {"features": len(names)},
        metrics=metrics,
        documents={
            "calibration.json": {"bins": metadata["calibration"]},
            "roc.json": {"points": metadata["roc"]},
            "by_lead.json": {"leads": metadata["by_lead"]},
            "slices.json": {"slices": metadata["slices"]},
            "features.json": {"version": features.VERSION, "names": names},
            "model-card.md": card.markdown(metadata),
        },
        tags={name: metadata[name] for name in ("data_digest", "commit", "feature_list")},
        example=pd.DataFrame(rows[:1000], columns=names).assign(disrupted=labels[:1000].astype(float)),
        digest=metadata["data_digest"],
        source={"source": "the event log", "as_of": metadata["data_until"], "seq": metadata["seq"]}
        | {"flights": metadata["snapshot_flights"], "digest": metadata["data_digest"]},
    )


def connect(settings: Settings) -> None:
    """Point MLflow at this installation's tracking store, and make the experiment where it is missing.

    Raises TrackingError where it does not answer: at once, while MLflow itself would try for minutes.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with said_in_words(settings):
        _reach(settings.mlflow_uri)
        if settings.mlflow_uri.startswith("sqlite:///"):
            Path(settings.mlflow_uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(settings.mlflow_uri)
        if mlflow.get_experiment_by_name(EXPERIMENT) is None:
            artifacts = None
            if settings.mlflow_uri.startswith("sqlite:///"):
                artifacts = (settings.home / "mlflow" / "artifacts").as_uri()
            mlflow.create_experiment(EXPERIMENT, artifact_location=artifacts)
        mlflow.set_experiment(EXPERIMENT)


def log_training(settings: Settings, fitted: Fitted, said: Run) -> tuple[int, str]:
    """Log one training as a run and register its model; returns (version, run id). Raises TrackingError."""
    with said_in_words(settings):
        _reach(settings.mlflow_uri)
        with mlflow.start_run() as run:
            mlflow.log_params(said.parameters)
            mlflow.log_metrics({name: value for name, value in said.metrics.items() if np.isfinite(value)})
            mlflow.set_tags(said.tags)
            for name, content in said.documents.items():
                if isinstance(content, str):
                    mlflow.log_text(content, name)
                else:
                    mlflow.log_dict(content, name)
            source = CodeDatasetSource(said.source)
            data = from_pandas(said.example, source=source, name="flights", digest=said.digest[:36])
            mlflow.log_input(data, context="training", tags={name: str(value) for name, value in said.source.items()})
            # LightGBM's own text format: nothing in it is a pickle.
            mlflow.lightgbm.log_model(
                fitted.trees, name="model", pip_requirements=REQUIREMENTS, registered_model_name=MODEL
            )
        versions = MlflowClient().search_model_versions(f"name='{MODEL}' and run_id='{run.info.run_id}'")
        return int(versions[0].version), run.info.run_id


@contextmanager
def said_in_words(settings: Settings) -> Iterator[None]:
    """Raises TrackingError for whatever MLflow and its store raise."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        where = urlsplit(settings.mlflow_uri)._replace(query="")
        address = where._replace(netloc=where.netloc.rpartition("@")[2]).geturl()
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TrackingError(f"MLflow at {address} cannot be used: {first}") from error


def _reach(uri: str) -> None:
    """Raises OSError where nothing listens at the address of a tracking server."""
    where = urlsplit(uri)
    if where.scheme in ("http", "https") and where.hostname:
        port = where.port or (443 if where.scheme == "https" else 80)
        socket.create_connection((where.hostname, port), PATIENCE_SECONDS).close()
