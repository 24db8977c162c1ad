"""How fast data time goes: so many of its seconds in a second, as fast as it can, or not at all."""

import argparse
import math
from typing import Any

SLICE_SECONDS = 0.5  # whoever waits looks up this often


def speed(text: str) -> float:
    """The speed that a text says: a number of seconds of data in a second, or `max`, which is infinity."""
    if text == "max":
        return math.inf
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= 1e7:
        raise argparse.ArgumentTypeError(f"{text!r} is no speed: give seconds of data in a second, or max")
    return number


class Pace:
    """When data time may go on. `fixed` is a speed that the settings do not change, or None."""

    def __init__(self, fixed: float | None = None) -> None:
        self.fixed = fixed
        self.speed = fixed or 1.0
        self.paused = False
        self._from: tuple[int, float] | None = None

    def follow(self, values: dict[str, Any]) -> None:
        """Go by the settings of the replay from now on."""
        told = math.inf if values["speed"] == "max" else float(values["speed"])
        new = (self.fixed or told, bool(values["paused"]))
        if new != (self.speed, self.paused):
            self.speed, self.paused = new
            self.begin_anew()

    def begin_anew(self) -> None:
        """Count from the next step on: what was waited for does not have to be made up."""
        self._from = None

    def seconds_until(self, data_time: int, now: float) -> float:
        """How long to wait before going on to that data time, where `now` is a clock that never goes back."""
        if self.paused:
            return SLICE_SECONDS
        if math.isinf(self.speed):
            return 0.0
        if self._from is None:
            self._from = (data_time, now)
        return max(0.0, self._from[1] + (data_time - self._from[0]) / self.speed - now)
