"""Waiting until the API and the app answer, and what a person then reads."""

import http.client
import json
import time

from backend.settings import Settings
from jobs.launch.parts import reachable
from jobs.launch.preflight import has_remote_mlflow
from jobs.launch.refused import Refused

PATIENCE_SECONDS = 120


def wait_until_ready(settings: Settings, patience_seconds: float = PATIENCE_SECONDS, app: bool = True) -> float:
    """Returns after how many seconds both answer; without the `app`, the API alone.

    Raises Refused, with what is missing, if they do not in time.
    """
    started = time.monotonic()
    missing = ["nothing answered yet"]
    while (waited := time.monotonic() - started) < patience_seconds:
        missing = _missing(settings, app)
        if not missing:
            return waited
        time.sleep(0.2)
    raise Refused(f"Pushback is not ready after {patience_seconds:.0f} seconds: {'; '.join(missing)}.")


def announcement(settings: Settings) -> str:
    """Where everything is, for the person who started it."""
    host = reachable(settings.host)
    mlflow = settings.mlflow_uri if has_remote_mlflow(settings) else f"http://127.0.0.1:{settings.mlflow_port}"
    return f"""
Pushback is ready.
  App       http://{host}:{settings.ui_port}
  API       http://{host}:{settings.api_port}/docs
  MLflow    {mlflow} (its first start takes some seconds more)
  Log in    as admin, with the password in {settings.secrets / "admin-password"}
Ctrl-C stops all of it. What it knows stays in {settings.home}.
"""


def _missing(settings: Settings, app: bool) -> list[str]:
    host = reachable(settings.host)
    status, body = _get(host, settings.api_port, "/health/ready")
    if status is None:
        return [f"the API does not answer on port {settings.api_port}"]
    if status != 200:
        return _sentences(body) or [f"the API answers {status} to /health/ready"]
    if not app:
        return []
    status, _ = _get(host, settings.ui_port, "/_stcore/health")
    return [] if status == 200 else [f"the app does not answer on port {settings.ui_port}"]


def _get(host: str, port: int, path: str) -> tuple[int | None, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return None, b""
    finally:
        connection.close()


def _sentences(body: bytes) -> list[str]:
    try:
        answer = json.loads(body)
    except ValueError:
        return []
    found = answer.get("missing") if isinstance(answer, dict) else None
    return [str(sentence).rstrip(".") for sentence in found] if isinstance(found, list) else []
