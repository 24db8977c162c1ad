"""What must hold before anything starts: the right Python, room on the disk, ports that are free."""

import errno
import shutil
import socket
import sys
from pathlib import Path

import psutil

from backend.settings import Settings
from jobs.launch.refused import Refused

FREE_BYTES = 1 << 30  # what the first start writes, twice over: stores 0.3 GiB, MLflow 0.1 GiB


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> None:
    """Raises Refused if this is not Python 3.11."""
    if version != (3, 11):
        raise Refused(
            f"This is Python {version[0]}.{version[1]}, and Pushback is tested on 3.11 alone: "
            "install Python 3.11 and run `make setup`, which makes .venv with it."
        )


def check_disk(home: Path, needed: int = FREE_BYTES) -> None:
    """Raises Refused if the file system of the state folder has less than `needed` bytes free."""
    free = shutil.disk_usage(home).free
    if free < needed:
        raise Refused(
            f"The disk of {home} has {free >> 20} MiB free, and Pushback needs {needed >> 20}: "
            "make room there, or name a folder on another disk with PUSHBACK_HOME."
        )


def check_ports(settings: Settings) -> None:
    """Raises Refused, with a sentence for each port that is taken, forbidden or given twice."""
    ports = {"API_PORT": settings.api_port, "UI_PORT": settings.ui_port}
    if not has_remote_mlflow(settings):
        ports["MLFLOW_PORT"] = settings.mlflow_port
    complaints = [
        f"{first} and {second} are both {port}: give each a port of its own."
        for first, port in ports.items()
        for second, other in ports.items()
        if first < second and port == other
    ]
    for name, port in ports.items():
        host = "127.0.0.1" if name == "MLFLOW_PORT" else settings.host
        if problem := _why_not_free(host, port):
            complaints.append(f"{problem}: end it, or choose another port, for example {name}={port + 100}.")
    if complaints:
        raise Refused("\n".join(complaints))


def has_remote_mlflow(settings: Settings) -> bool:
    """Whether MLflow's server runs elsewhere, so that none is started here."""
    return settings.mlflow_uri.startswith(("http://", "https://"))


def _why_not_free(host: str, port: int) -> str | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except PermissionError:
            return f"Port {port} may not be used without more rights"
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"Port {port} is taken by {_listener_on(port)}"
            return f"Port {port} on {host} cannot be used ({error.strerror})"
    return None


def _listener_on(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                and connection.pid
            ):
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass  # macOS tells only root; the sentence is right without the name
    return "another program"
