"""Every kind of problem that the API answers with: its `type`, its title, its statuses, and what to do about it.

`type` is a relative reference, /problems/NAME, where GET says the same. docs/api.md repeats this table, and tests hold
both together. A status that stands for itself and that only the server below us sends has the type about:blank.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Kind(NamedTuple):
    """One kind of problem. It never gets another name: clients decide by it."""

    name: str
    title: str
    statuses: tuple[int, ...]
    about: str

    @property
    def type(self) -> str:
        """The `type` of problem details (RFC 9457, 3.1.1)."""
        return f"/problems/{self.name}"


_KINDS = (
    # What cannot be understood
    Kind("bad-request", "Bad request", (400,), "The request is no HTTP that this server takes: mend the client."),
    Kind("not-json", "Not JSON", (400,), "The body cannot be read as JSON; the detail says where it breaks."),
    Kind("broken-off", "Broken off", (400,), "The body ended before its end: send it again."),
    Kind("too-slow", "Too slow", (408,), "The body came too slowly, or stopped: send it again."),
    Kind("too-large", "Too large", (413,), "Send the body in parts."),
    Kind("wrong-content-type", "Wrong content type", (415,), "Send the content type that the detail names."),
    Kind("compressed", "Compressed", (415,), "Send the body as it is: nothing is ever unpacked."),
    Kind(
        "not-valid",
        "The request is not valid",
        (400, 422),
        "Something in it has another form than the document says: `errors` names each place and what is accepted.",
    ),
    Kind("not-a-text", "Not a text", (422,), "A text or a name holds the character NUL, which no database keeps."),
    Kind("not-a-cursor", "Not a cursor", (422,), "Give the `next` of the page before, with the same `sort`."),
    # Who asks
    Kind("not-logged-in", "Not logged in", (401,), "Log in, or ask for another token; the detail says what is wrong."),
    Kind("not-granted", "Not granted", (400,), "Log in again with name and password."),
    Kind("no-such-grant", "No such grant", (400,), "Ask for one of the grants that the detail names."),
    Kind("not-for-this-role", "Not for this role", (403,), "Ask an admin for another role, or use another account."),
    Kind("foreign-origin", "Foreign origin", (403,), "Write from a program, or let PUSHBACK_ORIGINS name the page."),
    Kind("not-by-an-api-token", "Not by an API token", (403,), "Log in with the password."),
    Kind("not-for-somebody-else", "Not for somebody else", (403,), "Whose account it is has to ask for it."),
    Kind("wrong-password", "Wrong password", (403,), "Give the account's present password."),
    Kind(
        "too-many-failed-logins",
        "Too many failed logins",
        (429,),
        "Wait for `Retry-After` seconds: no password from this address is checked until then.",
    ),
    Kind(
        "too-often", "Too often", (429,), "Wait for `Retry-After` seconds: the account has had its share of the hour."
    ),
    Kind("too-many-files", "Too many files", (429,), "Wait until one of the account's files has been scored."),
    Kind("too-many-api-tokens", "Too many API tokens", (409,), "Revoke one of the account's API tokens first."),
    # What it asks for
    Kind("nothing-here", "Nothing here", (404,), "No call has this path: /docs lists those that there are."),
    Kind("wrong-method", "Wrong method", (405,), "Use a method that the header `Allow` names."),
    Kind("no-such-account", "No such account", (404,), "GET /accounts lists those that there are."),
    Kind("no-such-api-token", "No such API token", (404,), "GET /accounts/{id}/tokens lists those that there are."),
    Kind("no-such-decision", "No such decision", (404,), "GET /decisions lists those that there are."),
    Kind(
        "no-such-flight",
        "No such flight",
        (404,),
        "Its schedule is not stored (yet): GET /flights lists those that are.",
    ),
    Kind("no-such-job", "No such job", (404,), "GET /jobs lists those that this account may see."),
    Kind("no-such-problem", "No such kind of problem", (404,), "GET /problems lists those that there are."),
    Kind("no-result", "No result", (404,), "The job left no file, or it is too old: GET /jobs/{id} says which."),
    Kind("no-such-settings", "No such settings", (404,), "GET /settings lists those that there are."),
    Kind("no-such-version", "No such version", (404,), "GET /models lists those that there are."),
    # What it wants to know or to change
    Kind("as-of-in-the-future", "as_of is in the future", (422,), "Ask as of the data clock at the latest."),
    Kind("as-of-after-departure", "as_of is after the departure", (422,), "Ask as of the departure at the latest."),
    Kind("as-of-too-early", "as_of is too early", (422,), "Ask as of a moment from which there are data."),
    Kind(
        "flights-not-predictable",
        "These flights cannot be predicted",
        (422,),
        "`errors` names each flight and why: it has left, it leaves more than 24 hours later, a code is unknown.",
    ),
    Kind("no-file-of-flights", "No file of flights", (422,), "The detail says what a file needs that this one lacks."),
    Kind("not-one-file", "Not one file", (422,), "Send a form with one file in it, and nothing else."),
    Kind("too-many-to-explain", "Too many flights to explain", (422,), "Ask for the reasons of fewer flights at once."),
    Kind("too-long-a-window", "Too long a window", (422,), "Give `from` and `until` closer together."),
    Kind("too-far-ahead", "Too far ahead", (422,), "Move the data clock in smaller steps."),
    Kind(
        "key-of-another-batch",
        "Another batch had this key",
        (422,),
        "Give each batch an `Idempotency-Key` of its own, and send the same batch with the same key.",
    ),
    Kind("not-in-order", "Not in order", (422,), "Give a beginning that is not after the end."),
    Kind(
        "not-settings",
        "Not settings of this group",
        (422,),
        "`errors` names what is out of bounds or not in the group: GET /settings/NAME has `fields`.",
    ),
    Kind("not-an-alert", "Not an alert", (422,), "Send what Alertmanager or Grafana posts."),
    Kind(
        "not-created",
        "Not created",
        (422,),
        "`errors` or the detail says what a new account or API token must look like.",
    ),
    Kind("not-changed", "Not changed", (409, 422), "The detail says what stands against it; nothing has changed."),
    Kind("not-promoted", "Not promoted", (409,), "The detail says what stands against it; nothing has changed."),
    Kind("not-rolled-back", "Not rolled back", (409,), "The detail says what stands against it; nothing has changed."),
    Kind("not-done-yet", "Not done yet", (409,), "Wait until the job is done: GET /jobs/{id} says how far it is."),
    Kind("job-has-ended", "The job has ended", (409,), "There is nothing to cancel any more."),
    Kind("another-replay", "Another replay runs", (409,), "Wait until it ends: GET /replay says who it is."),
    Kind("nothing-is-broken-here", "Nothing is broken here", (422,), "Break things in a rehearsal: make rehearsal."),
    Kind(
        "work-is-due-before",
        "Work is due before",
        (409,),
        "Tell up to what `accepted` says, and the rest once it is done.",
    ),
    # What the server cannot do now
    Kind("busy", "Busy", (503,), "Too much at once: try again after `Retry-After` seconds."),
    Kind("not-ready", "Not ready", (503,), "GET /health/ready says what is missing."),
    Kind("not-logged", "Not logged", (503,), "The answer could not be written down and was not given: try again."),
    Kind("no-room", "No room", (507,), "The server's disk is full: nothing was kept. Tell who runs it."),
    Kind("no-documents", "No documents", (503,), "GET /health/ready says what is missing; try again."),
    Kind("no-database", "No database", (503,), "GET /health/ready says what is missing; try again."),
    Kind("fault", "Something went wrong", (500,), "A fault of the server's, which is in its log: tell who runs it."),
)
BY_NAME: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _KINDS})
BY_TITLE: Mapping[str, Kind] = MappingProxyType({kind.title: kind for kind in _KINDS})

# What HTTP errors that Flask itself raises are called here.
OF_STATUS: Mapping[int, Kind] = MappingProxyType(
    {
        400: BY_NAME["bad-request"],
        404: BY_NAME["nothing-here"],
        405: BY_NAME["wrong-method"],
        413: BY_NAME["too-large"],
        415: BY_NAME["wrong-content-type"],
        500: BY_NAME["fault"],
    }
)


def type_of(title: str) -> str:
    """The `type` of a problem with that title; about:blank where the title is a status's own phrase."""
    kind = BY_TITLE.get(title)
    return "about:blank" if kind is None else kind.type
