"""Writes that a page of another origin sends are refused, whatever they carry: a browser names the origin by itself."""

import logging

from flask import request

from backend.api import context
from backend.api.access_log import denied
from backend.api.errors import Problem

READS = ("GET", "HEAD", "OPTIONS")


def refuse_foreign() -> None:
    """Raises Problem 403 for a write with an `Origin` that is neither the API's own nor one of PUSHBACK_ORIGINS.

    Programs send none, and pass.
    """
    origin = request.headers.get("Origin")
    if origin is None or request.method in READS:
        return
    if origin != request.host_url.rstrip("/") and origin not in context.get().settings.origins:
        denied("foreign origin refused", None, "neither the API's own nor in PUSHBACK_ORIGINS", logging.WARNING)
        detail = "Pages of another origin may not write here: send it from a program, or name it in PUSHBACK_ORIGINS."
        raise Problem(403, "Foreign origin", detail)
