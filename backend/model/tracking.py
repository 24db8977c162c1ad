"""Runs and versions in MLflow. Imported by jobs only: MLflow takes two seconds to import."""

import logging
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.data.pandas_dataset import from_pandas
from mlflow.exceptions import MlflowException

from backend.model.train import Fitted
from backend.settings import Settings

MODEL = "pushback"
EXPERIMENT = "pushback"
# The only type beyond skops' own list that a model of ours holds; a file with any other is refused when it is read.
TRUSTED_TYPES = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
REQUIREMENTS = ["scikit-learn", "skops", "numpy"]


def connect(settings: Settings) -> None:
    """Point MLflow at this installation's tracking store, and make the experiment where it is missing."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if settings.mlflow_uri.startswith("sqlite:///"):
        Path(settings.mlflow_uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(settings.mlflow_uri)
    if mlflow.get_experiment_by_name(EXPERIMENT) is None:
        artifacts = None
        if settings.mlflow_uri.startswith("sqlite:///"):
            artifacts = (settings.home / "mlflow" / "artifacts").as_uri()
        mlflow.create_experiment(EXPERIMENT, artifact_location=artifacts)
    mlflow.set_experiment(EXPERIMENT)


def log_training(
    fitted: Fitted,
    parameters: dict[str, Any],
    metrics: dict[str, float],
    documents: dict[str, Any],
    tags: dict[str, str],
    example: pd.DataFrame,
) -> tuple[int, str]:
    """Log one training as a run and register its model; returns (version, run id).

    `documents` become JSON files of the run; `example` is a sample of the training rows, logged as its data set.
    """
    with mlflow.start_run() as run:
        mlflow.log_params(parameters)
        mlflow.log_metrics({name: value for name, value in metrics.items() if np.isfinite(value)})
        mlflow.set_tags(tags)
        for name, content in documents.items():
            mlflow.log_dict(content, name)
        data = from_pandas(example, name="flights", digest=tags["data_digest"][:36])
        mlflow.log_input(data, context="training")
        mlflow.sklearn.log_model(
            fitted.classifier,
            name="model",
            serialization_format="skops",
            skops_trusted_types=TRUSTED_TYPES,
            pip_requirements=REQUIREMENTS,
            registered_model_name=MODEL,
        )
    versions = MlflowClient().search_model_versions(f"name='{MODEL}' and run_id='{run.info.run_id}'")
    return int(versions[0].version), run.info.run_id


def set_alias(alias: str, version: int) -> None:
    """Let that alias (champion, challenger, previous) name the version."""
    MlflowClient().set_registered_model_alias(MODEL, alias, str(version))


def version_with(alias: str) -> int | None:
    """The version that an alias names, or None."""
    try:
        return int(MlflowClient().get_model_version_by_alias(MODEL, alias).version)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
