"""What people may change while it runs: named groups of settings with bounds and defaults, kept as documents.

What depends on the machine (folders, URLs, ports) is not here but in the environment: backend/settings.py.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from tinydb import where

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
    """When an alert may start a training. Days are the data clock's."""

    cooldown_days: float = Field(default=7.0, ge=0, le=365, description="after a training, however it was asked for")
    most_a_day: int = Field(default=1, ge=0, le=24, description="trainings that alerts may start; 0: none at all")


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


class Retention(Options):
    """For how many days things are kept. Facts, figures, versions, deployments and decisions are kept for ever."""

    predictions_days: float = Field(
        default=400.0, ge=60, le=36_500, description="logged answers, by the data clock; about the past: since asked"
    )
    jobs_days: float = Field(default=90.0, ge=1, le=36_500, description="jobs, since they ended, with their files")
    results_days: float = Field(default=14.0, ge=1, le=36_500, description="results of batches, since the job ended")


GROUPS: Mapping[str, type[Options]] = MappingProxyType(
    {"costs": Costs, "retraining": Retraining, "limits": Limits, "monitoring": Monitoring, "retention": Retention}
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
