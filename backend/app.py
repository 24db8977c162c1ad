"""The API: `gunicorn 'backend.app:create_app()'`. Small stateless handlers, one module per resource in backend/api."""

from collections.abc import Callable

from apiflask import APIFlask
from flask import Response, g, request

from backend import clock
from backend import settings as settings_module
from backend.api import (
    access_log,
    accounts,
    address,
    answers,
    api_tokens,
    backtests,
    batches,
    context,
    decisions,
    deployments,
    errors,
    features,
    flights,
    health,
    intake,
    jobs,
    kinds,
    metrics,
    models,
    observations,
    openapi,
    options,
    origins,
    own_password,
    performance,
    policies,
    predictions,
    promotions,
    quality,
    replay,
    request_log,
    results,
    schedules,
    schemas,
    sessions,
    status,
    tokens,
    training,
    uploads,
    webhooks,
)
from backend.settings import Settings

BLUEPRINTS = (
    health.bp,
    tokens.bp,
    sessions.bp,
    accounts.bp,
    api_tokens.bp,
    own_password.bp,
    predictions.bp,
    batches.bp,
    answers.bp,
    flights.bp,
    features.bp,
    models.bp,
    promotions.bp,
    deployments.bp,
    decisions.bp,
    status.bp,
    observations.bp,
    quality.bp,
    replay.bp,
    schedules.bp,
    options.bp,
    webhooks.bp,
    training.bp,
    backtests.bp,
    policies.bp,
    performance.bp,
    jobs.bp,
    results.bp,
    metrics.bp,
    kinds.bp,
)
MAXIMUM_BODY_BYTES = 2 * 1024 * 1024
# /docs draws itself with a script and styles in its page; nothing else that is answered here is a document.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
POLICY = "default-src 'none'; frame-ancestors 'none'"


def create_app(settings: Settings | None = None, now: Callable[[], int] = clock.wall) -> APIFlask:
    """The WSGI application. Opens no store before its first request, so that it may be made before a fork."""
    app = APIFlask(
        __name__,
        title="Pushback",
        version="0.1.0",
        json_errors=False,
        docs_path=None,
        static_folder=None,  # type: ignore[arg-type]
    )
    app.request_class = schemas.JsonRequest
    app.config.update(MAX_CONTENT_LENGTH=MAXIMUM_BODY_BYTES, OPENAPI_VERSION="3.1.0", AUTO_OPERATION_ID=True)
    app.url_map.strict_slashes = False
    for rule in app.url_map.iter_rules():  # /openapi.json, which was there before
        rule.strict_slashes = False
    app.url_map.merge_slashes = False  # it would answer with a redirect, which is a page of HTML
    settings = settings or settings_module.load()
    context.prepare(app, settings, now)
    errors.register(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    openapi.register(app)
    app.before_request(_read_the_body)
    app.before_request(origins.refuse_foreign)
    app.before_request(health.refuse_other_tables)
    access_log.register(app)
    intake.register(app)
    app.after_request(_secure)
    app.after_request(_drain)
    metrics.register(app, settings.metrics_folder)
    address.register(app, settings.proxies)
    request_log.register(app)
    return app


def _read_the_body() -> None:
    """Takes the body off the connection even where the answer needs none of it, such as a 401.

    What is left there when the answer goes out makes the server end the connection, perhaps under the next request.
    """
    if not uploads.is_streamed():
        request.get_data(cache=True)
        g.body_is_read = True


def _drain(response: Response) -> Response:
    """The same for a body that is too large to be read, or that was refused before it was."""
    uploads.drain()
    return response


def _secure(response: Response) -> Response:
    """Answers are data: never cached, sniffed, framed or run."""
    in_docs = request.path == "/docs" or request.path.startswith("/docs/")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Content-Security-Policy", DOCS_POLICY if in_docs else POLICY)
    if not in_docs:
        response.headers.setdefault("Cache-Control", "no-store")
    return response
