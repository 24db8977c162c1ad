"""How gunicorn runs the API: the one place for its workers, threads and time-outs. backend/serve.py reads it."""

from gunicorn.config import Config
from gunicorn.glogging import Logger

from backend import settings
from backend.monitoring import logs

_settings = settings.load()

wsgi_app = "backend.app:create_app()"
bind = f"[{_settings.host}]:{_settings.api_port}" if ":" in _settings.host else f"{_settings.host}:{_settings.api_port}"
workers = 2
worker_class = "gthread"
threads = 4
# Longer than clients keep a connection (httpx: 5 s): one who asks again in the moment of its end gets no answer.
keepalive = 75
graceful_timeout = 8  # after SIGTERM, what is being answered may take so long; all has ended within 10 s
control_socket_disable = True


class logger_class(Logger):  # pylint: disable=invalid-name  # gunicorn's name for it
    """gunicorn's own words, in the shape of all others. It writes no line for a request: the API does."""

    def setup(self, cfg: Config) -> None:
        """Leaves the loggers to the root's handlers."""
        self.cfg = cfg
        self.error_log.propagate = True
        logs.start("api", _settings.log_level, _settings.log_folder)

    def access(self, resp: object, req: object, environ: object, request_time: object) -> None:
        """Says nothing."""
