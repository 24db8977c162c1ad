"""What a handler needs: one object a process, made at the first request, after the fork."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, current_app
from sqlalchemy import Engine

from backend import accounts, signing
from backend.api.errors import Problem
from backend.model.serving import Serving
from backend.settings import Settings
from backend.signing import Keys
from backend.store import migrate, sql
from backend.store.answer_log import AnswerLog
from backend.store.blobs import Blobs
from backend.store.counters import Counters
from backend.store.documents import Documents, open_documents
from backend.store.shared import DocumentsError

_making = threading.Lock()
PATIENCE_SECONDS = 5  # for another process that writes: who asks is told to try again, and does not wait for ever


@dataclass(frozen=True)
class Context:
    """The stores and the keys of one process. `now` is the wall clock, in epoch seconds."""

    settings: Settings
    engine: Engine
    answer_log: AnswerLog
    documents: Documents
    keys: Keys
    counters: Counters
    serving: Serving
    schema: migrate.Watch
    now: Callable[[], int]
    process: int


def prepare(app: Flask, settings: Settings, now: Callable[[], int]) -> None:
    """Says where the context will come from. Opens nothing: the process may still fork."""
    app.extensions["pushback"] = None
    app.extensions["pushback-source"] = (settings, now)


def get() -> Context:
    """The context of this process."""
    context: Context | None = current_app.extensions["pushback"]
    if context is not None and context.process == os.getpid():
        return context
    with _making:
        context = current_app.extensions["pushback"]
        if context is None or context.process != os.getpid():
            context = _make(*current_app.extensions["pushback-source"])
            current_app.extensions["pushback"] = context
    return context


def _make(settings: Settings, now: Callable[[], int]) -> Context:
    try:
        documents = open_documents(settings.documents)
        accounts.first_start(settings, documents)
    except (DocumentsError, OSError) as error:
        sentence = f"The documents or the secrets cannot be used: {error}."
        raise Problem(503, "Not ready", sentence, headers={"Retry-After": "5"}) from error
    engine = sql.open_engine(settings.database_url, PATIENCE_SECONDS)
    answer_log = AnswerLog(settings.database_url, PATIENCE_SECONDS)
    serving = Serving(Blobs(settings.blobs))
    keys, counters = signing.open_keys(settings), Counters(engine, now)
    return Context(
        settings, engine, answer_log, documents, keys, counters, serving, migrate.Watch(engine), now, os.getpid()
    )
