"""What the API's answers look like, as types: times are ISO 8601 text in UTC, rates and probabilities are 0 to 1."""

from typing import Any, TypedDict


class Opened(TypedDict):
    """An open session, as a login gets it."""

    session: str
    username: str
    role: str
    expires_at: str


class Token(TypedDict):
    """A short JWT and whose it is; `expires_in` in seconds."""

    access_token: str
    expires_in: int
    username: str
    role: str


class Place(TypedDict):
    """An airport or an airline."""

    code: str
    name: str


class Metrics(TypedDict):
    """A version's figures on its test window."""

    auc: float
    brier: float
    calibration_error: float
    log_loss: float


Window = TypedDict("Window", {"from": str, "until": str, "flights": int})
BaseRate = TypedDict("BaseRate", {"rate": float, "flights": int, "from": str, "until": str})


class LeadMetrics(TypedDict):
    """Figures at one time before the departure."""

    lead_hours: float
    auc: float
    brier: float


class CalibrationBin(TypedDict):
    """Flights of alike probability: their mean prediction, and the share that was disrupted."""

    predicted: float
    observed: float
    flights: int


class Ready(TypedDict):
    """Whether predictions can be answered, and in sentences what is missing if not."""

    status: str
    missing: list[str]


class Version(TypedDict):
    """One trained version of the model, with its figures and its lineage."""

    version: str
    role: str | None
    trained_at: str
    data_from: str
    data_until: str
    flights: int
    rows: int
    metrics: Metrics
    baseline: Metrics
    base_rate: float
    evaluated_on: Window
    data_digest: str
    commit: str | None
    feature_list: str
    duration_seconds: float
    by_lead: list[LeadMetrics]
    calibration: list[CalibrationBin]


class Champion(Version):
    """The version that answers, and since when."""

    since: str


class Facts(TypedDict):
    """What the event log holds."""

    events: int
    flights: int
    weather_hours: int
    first_departure: str | None
    last_departure: str | None
    seq: int


class Status(TypedDict):
    """The state of the whole installation at its data clock."""

    clock: str | None
    mode: str
    facts: Facts
    champion: Champion | None
    base_rate: BaseRate | None
    jobs: dict[str, int]
    airports: dict[str, list[Place]]
    carriers: list[Place]


class Flight(TypedDict):
    """One flight as it is scheduled; `_local` times are on the airport's own clock."""

    id: str
    carrier: str
    carrier_name: str
    flight: int
    origin: str
    origin_name: str
    dest: str
    dest_name: str
    scheduled_departure: str
    scheduled_arrival: str | None
    scheduled_departure_local: str
    scheduled_arrival_local: str | None
    status: str


class GroupReason(TypedDict):
    """What one matter adds to the log-odds: positive raises the risk."""

    group: str
    contribution: float


class FeatureReason(TypedDict):
    """What one value that the model looked at adds to the log-odds."""

    name: str
    value: float | str | None
    contribution: float


class Explanation(TypedDict):
    """Why a probability is what it is: base and groups sum to its log-odds."""

    sentence: str
    base_log_odds: float
    base_probability: float
    log_odds: float
    groups: list[GroupReason]
    features: list[FeatureReason]


class Prediction(TypedDict):
    """One answer of the model."""

    id: str
    carrier: str
    flight: int
    origin: str
    dest: str
    scheduled_departure: str
    probability: float
    band: str
    lead_time_minutes: float
    model_version: str
    as_of: str
    seq: int
    base_rate: float | None
    explanation: Explanation | None
    explanation_missing: str | None


class Job(TypedDict):
    """One piece of long work; `progress` is 0 to 1."""

    id: str
    kind: str
    state: str
    progress: float
    message: str | None
    result: dict[str, Any] | None
    error: str | None
    owner: str
    created_at: str
    started_at: str | None
    ended_at: str | None
    attempts: int
