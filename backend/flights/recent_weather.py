"""Features of the weather: the last that is known at the origin, how it changed in three hours, its worst in six."""

import numpy as np
import numpy.typing as npt

from backend.clock import HOUR, MINUTE
from backend.flights.events import WEATHER_FIELDS
from backend.flights.facts import pair
from backend.flights.history import Weather

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Levels of temperature and pressure are left out: they are mostly the season's, and made the next month's Brier score
# worse. The dew point stays: without it June's storms were missed.
_LAST = ("dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "visib")
_CHANGES = ("temp", "wind_speed", "pressure", "visib", "humid")
NAMES = (
    "weather_age_minutes",
    *(f"weather_{name}" for name in _LAST),
    *(f"weather_{name}_change_3h" for name in _CHANGES),
    "weather_dew_point_spread",
    "weather_wind_worst_6h",
    "weather_gust_worst_6h",
    "weather_visib_worst_6h",
    "weather_precip_worst_6h",
    "weather_precip_6h",
)


def _fields(*names: str) -> list[int]:
    return [WEATHER_FIELDS.index(name) for name in names]


_LAST_FIELDS, _CHANGED_FIELDS, _HIGH_FIELDS = _fields(*_LAST), _fields(*_CHANGES), _fields("wind_speed", "wind_gust")
_TEMP, _DEWP, _VISIB, _PRECIP = _fields("temp", "dewp", "visib", "precip")
_SIX = np.arange(6)


def rows(weather: Weather, origin: Ints, as_of: Ints) -> Floats:
    """The features of NAMES for flights from `origin` (packed code) at `as_of`, both of shape (n,): (len(NAMES), n)."""
    station_now = pair(origin, as_of)
    last = weather.key.searchsorted(station_now, "right") - 1
    place = np.maximum(last[:, None] - _SIX, 0)
    stamps = weather.key[place]
    # A row counts when it is of this station and became known in the last six hours.
    counts = (stamps > station_now[:, None] - 6 * HOUR) & (stamps >> 32 == origin[:, None])
    seen = np.where(counts[:, :, None], weather.values[place], np.nan)
    latest = seen[:, 0]
    three_hours_before = stamps == stamps[:, :1] - 3 * HOUR
    before = np.fmax.reduce(np.where(three_hours_before[:, :, None], seen, np.nan), axis=1)
    highest, precip = np.fmax.reduce(seen, axis=1), seen[:, :, _PRECIP]
    # Hundredths of an inch, as integers, so that their sum is exact.
    hundredths = np.where(np.isnan(precip), 0, np.rint(precip * 100)).astype(np.int64)
    columns = [
        np.where(counts[:, 0], (station_now - stamps[:, 0]) // MINUTE, np.nan)[:, None],
        latest[:, _LAST_FIELDS],
        (latest - before)[:, _CHANGED_FIELDS],
        (latest[:, _TEMP] - latest[:, _DEWP])[:, None],
        highest[:, _HIGH_FIELDS],
        np.fmin.reduce(seen[:, :, _VISIB], axis=1)[:, None],
        highest[:, _PRECIP, None],
        (hundredths.sum(axis=1) / 100)[:, None],
    ]
    return np.concatenate(columns, axis=1).T
