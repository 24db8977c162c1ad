"""One run of schemathesis over the whole document, by one account, against an application in this process."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import schemathesis
from schemathesis import Case, CheckContext, Response, SerializationContext
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.transport.wsgi import WSGI_TRANSPORT

from backend.api import problems

SEED = 20130401
NOBODY = "nobody"
# What a request that the document allows may still be refused for: what it asks about is not so, or not now.
# `by_its_form` below holds that it is never for its form.
SEMANTIC = ["2xx", "400", "401", "403", "404", "409", "422", "429", "503"]
# What is not as the document says is refused; a body that is too large before it is known what else is wrong.
REFUSED = ["400", "401", "403", "404", "405", "409", "413", "415", "422", "429", "503"]
FORM = {problems.BY_NAME[name].type for name in ("not-valid", "not-json", "bad-request", "wrong-content-type")}


def _mend_transport() -> None:
    """Schemathesis 4.32.5 repeats a request without its login with settings of sockets, which applications in this
    process do not take: `send_probe` in specs/openapi/_auth_retry.py."""
    send = WSGI_TRANSPORT.send

    def mended(case: Case, **kwargs: Any) -> Response:
        for name in ("max_redirects", "verify", "cert", "proxies"):
            kwargs.pop(name, None)
        return send(case, **kwargs)

    WSGI_TRANSPORT.send = mended  # type: ignore[method-assign]


@schemathesis.serializer("application/vnd.apache.parquet")
def _as_it_is(_: SerializationContext, value: Any) -> bytes:
    """The bytes of a file: what is in them is up to chance, and tests of files know better."""
    return value if isinstance(value, bytes) else str(value).encode()


_mend_transport()


@schemathesis.check
def by_its_form(_: CheckContext, response: Response, case: Case) -> None:
    """A request that the document allows is not refused for its form: the two would say different things."""
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive or response.status_code not in (400, 415, 422):
        return
    said = response.json()
    assert said["type"] not in FORM, f"the document allows what the API calls {said['title']}: {said['detail']}"


class Budget(NamedTuple):
    """How much is sent: `examples` random requests for each call, those at the edges of its schema, and chains of calls
    in which one uses what another answered."""

    examples: int
    edges: bool
    stateful: bool


@dataclass
class Report:
    """How many requests were sent, by call; how they were answered; and what was found wrong, with how to see it."""

    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        statuses = ", ".join(f"{number} times {status}" for status, number in sorted(self.statuses.items()))
        return f"{self.cases.total()} requests to {len(self.cases)} calls, answered {statuses}"

    def words(self) -> str:
        """What was found, for a person."""
        return "\n".join(f"{said}\n    {how}" for said, how in self.failures.items())


def settings(headers: dict[str, str], budget: Budget, seed: int) -> SchemathesisConfig:
    """All checks. The same requests for the same seed."""
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "continue-on-failure": True,
            "headers": headers,
            "generation": {
                "max-examples": budget.examples,
                "deterministic": True,
                "database": "none",
                "no-shrink": True,
            },
            "checks": {
                "positive_data_acceptance": {"expected-statuses": SEMANTIC},
                "negative_data_rejection": {"expected-statuses": REFUSED},
            },
            # What was cancelled can still be looked at: DELETE ends a job, and GET says that it was ended.
            "operations": [{"include-path": "/jobs/{id}", "checks": {"use_after_free": {"enabled": False}}}],
            "phases": {"coverage": {"enabled": budget.edges}, "stateful": {"enabled": budget.stateful}},
        }
    )


def run(app: Any, headers: dict[str, str], budget: Budget, seed: int = SEED) -> Report:
    """Sends everything that the budget allows, and says what was found."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, config=settings(headers, budget, seed))
    report = Report()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _add(report, event)
        elif isinstance(event, events.NonFatalError):
            report.failures[f"{event.label}: {event.info.title}"] = event.info.message
        elif isinstance(event, events.FatalError):
            raise event.exception
    return report


def _add(report: Report, event: events.ScenarioFinished) -> None:
    recorder = event.recorder
    answers = (interaction.response for interaction in recorder.interactions.values())
    report.statuses.update(answer.status_code for answer in answers if answer is not None)
    report.cases.update(node.value.operation.label for node in recorder.cases.values())
    for identity, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                label, failure = recorder.cases[identity].value.operation.label, check.failure_info.failure
                said = f"{label}: {failure.title}: {failure.message}"[:300]
                report.failures.setdefault(said, check.failure_info.code_sample[:2000])
