"""How gunicorn runs the API: the one place for its workers, threads and time-outs. backend/serve.py reads it."""

from backend import settings

_settings = settings.load()

wsgi_app = "backend.app:create_app()"
bind = f"[{_settings.host}]:{_settings.api_port}" if ":" in _settings.host else f"{_settings.host}:{_settings.api_port}"
workers = 2
worker_class = "gthread"
threads = 4
# Longer than clients keep a connection (httpx: 5 s): one who asks again in the moment of its end gets no answer.
keepalive = 75
graceful_timeout = 10  # after SIGTERM, what is being answered may take so long
control_socket_disable = True
loglevel = "warning"
