"""What people may change while it runs: named groups of settings with bounds and defaults, kept as documents.

What depends on the machine (folders, URLs, ports) is not here but in the environment: backend/settings.py.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from tinydb import where

from backend import cron
from backend.store.documents import Documents

TABLE = "settings"


class Options(BaseModel):
    """A group of settings. A field that it does not name is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Costs(Options):
    """What errors cost, in any unit: what a risk must be worth acting on is false_alarm / (false_alarm + miss)."""

    false_alarm: float = Field(default=1.0, gt=0, le=1e6)
    miss: float = Field(default=4.0, gt=0, le=1e6)


class Retraining(Options):
    """When a training may start that no person has asked for. Days are the data clock's."""

    cooldown_days: float = Field(default=7.0, ge=0, le=365, description="after a training, however it was asked for")
    most_a_day: int = Field(
        default=1, ge=0, le=24, description="trainings that schedules, drift, performance and alerts may start; 0: none"
    )
    by_verdict: bool = Field(
        default=True, description="a bad verdict asks for one by itself; false where Prometheus's alerts do"
    )


class Limits(Options):
    """How often passwords may be tried, by each address, and expensive work asked for, by each account."""

    failures_a_minute: int = Field(default=100, ge=10, le=100_000, description="failed logins of an address")
    failures_without_wait: int = Field(default=10, ge=3, le=1000, description="of a name from an address")
    longest_wait_seconds: int = Field(default=900, ge=1, le=86_400, description="waits double, up to this")
    remembered_minutes: int = Field(default=60, ge=1, le=1440, description="after the first failure; a success forgets")
    costly_an_hour: int = Field(
        default=300, ge=1, le=1_000_000, description="trainings, back-tests, uploads, new accounts and API tokens"
    )


class Monitoring(Options):
    """When the watch over the champion speaks up, and how much it looks at."""

    brier_margin: float = Field(
        default=0.01, ge=0, le=0.25, description="by how much its Brier score must surely be worse than at its training"
    )
    audit_sample: int = Field(
        default=500, ge=1, le=100_000, description="answers of a day whose features the audit makes anew"
    )


class Retention(Options):
    """For how many days things are kept. Facts, figures, versions, deployments and decisions are kept for ever."""

    predictions_days: float = Field(
        default=400.0, ge=60, le=36_500, description="logged answers, by the data clock; about the past: since asked"
    )
    jobs_days: float = Field(default=90.0, ge=1, le=36_500, description="jobs, since they ended, with their files")
    results_days: float = Field(default=14.0, ge=1, le=36_500, description="results of batches, since the job ended")


class Replay(Options):
    """How fast the replay goes, and whether it waits."""

    paused: bool = False
    speed: Annotated[float, Field(gt=0, le=1e7)] | Literal["max"] = Field(
        default=1440.0, description="seconds of data in a second (1440: a day in a minute), or max"
    )


Line = Annotated[str, Field(max_length=80), AfterValidator(cron.check)]


class Schedules(Options):
    """When work is due, by the data clock, as cron lines: minute, hour, day, month, weekday. Empty: never."""

    time_zone: Annotated[str, Field(max_length=40), AfterValidator(cron.check_zone)] = "America/New_York"
    performance: Line = Field(default="0 4 * * *", description="joins outcomes to answers and judges the champion")
    audit: Line = Field(default="15 4 * * *", description="makes features of answers anew and compares them")
    guard: Line = Field(default="30 4 * * mon", description="compares the champion with the version before it")
    retraining: Line = Field(default="0 5 1 * *", description="trains a challenger (docs/policies.md: why monthly)")
    housekeeping: Line = Field(default="0 6 * * sun", description="deletes what is past its time")


GROUPS: Mapping[str, type[Options]] = MappingProxyType(
    {
        "costs": Costs,
        "retraining": Retraining,
        "limits": Limits,
        "monitoring": Monitoring,
        "retention": Retention,
        "schedules": Schedules,
        "replay": Replay,
    }
)

Group = TypeVar("Group", bound=Options)


def read(documents: Documents, name: str) -> Options:
    """The group of that name as it stands now. Raises KeyError for a name that is not in GROUPS."""
    stored = documents.table(TABLE).get(where("name") == name)
    said: dict[str, Any] = stored["values"] if isinstance(stored, dict) else {}
    known = GROUPS[name].model_fields
    # A field that an older or a newer program wrote is left alone.
    return GROUPS[name].model_validate({field: value for field, value in said.items() if field in known})


def of(documents: Documents, group: type[Group]) -> Group:
    """That group as it stands now."""
    (name,) = (name for name, each in GROUPS.items() if each is group)
    found = read(documents, name)
    assert isinstance(found, group)
    return found


def write(documents: Documents, name: str, options: Options) -> None:
    """Let the group of that name say this from now on, in every process."""
    documents.table(TABLE).upsert({"name": name, "values": options.model_dump()}, where("name") == name)
