"""How gunicorn runs the API: the one place for its workers, threads and time-outs. backend/serve.py reads it."""

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from backend import settings
from backend.api import malformed
from backend.monitoring import logs
from backend.monitoring.worker_folder import WorkerFolder

_settings = settings.load()
_metrics = WorkerFolder()

wsgi_app = "backend.app:create_app()"
bind = f"[{_settings.host}]:{_settings.api_port}" if ":" in _settings.host else f"{_settings.host}:{_settings.api_port}"
workers = 2
worker_class = "gthread"
threads = 4
# Longer than clients keep a connection (httpx: 5 s): one who asks again in the moment of its end gets no answer.
keepalive = 75
graceful_timeout = 8  # after SIGTERM, what is being answered may take so long; all has ended within 10 s
control_socket_disable = True
forwarded_allow_ips = ""  # what a proxy says is believed where PUSHBACK_PROXIES says so, and nowhere else


def on_starting(_server: Arbiter) -> None:
    """Before any worker is started."""
    _metrics.make()


def child_exit(server: Arbiter, _worker: Worker) -> None:
    """A worker has ended, however it did."""
    # Not imported before: prometheus_client looks for the folder when it is.
    from backend.monitoring import worker_counts  # pylint: disable=import-outside-toplevel

    if _metrics.path is not None:
        worker_counts.fold(_metrics.path, server.WORKERS.keys())


def on_exit(_server: Arbiter) -> None:
    """All workers have ended."""
    _metrics.remove()


class logger_class(Logger):  # pylint: disable=invalid-name  # gunicorn's name for it
    """gunicorn's own words, in the shape of all others. It writes no line for a request: the API does."""

    def setup(self, cfg: Config) -> None:
        """Leaves the loggers to the root's handlers."""
        self.cfg = cfg
        self.error_log.propagate = True
        logs.start("api", _settings.log_level, _settings.log_folder)

    def access(self, resp: object, req: object, environ: object, request_time: object) -> None:
        """Says nothing."""


malformed.install()
