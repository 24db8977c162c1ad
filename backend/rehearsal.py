"""Whether this installation is a rehearsal, in which things may be broken on purpose: a mark in its documents.

It is set when a rehearsal is first started (`make rehearsal`), before it knows anything; the API cannot set it.
"""

from tinydb import where

from backend.store.documents import Documents

_TABLE, _NAME = "instance", "rehearsal"


def is_one(documents: Documents) -> bool:
    """Whether things may be broken here."""
    return documents.table(_TABLE).contains(where("name") == _NAME)


def mark(documents: Documents) -> None:
    """Let this installation be a rehearsal for ever."""
    documents.table(_TABLE).upsert({"name": _NAME}, where("name") == _NAME)
