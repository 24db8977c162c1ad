"""What was logged during a test, in the form in which it is kept."""

import io
import json
from typing import Any

from backend.monitoring import logs


class Heard:
    """What was logged, as text and as lines."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def forget(self) -> None:
        self.stream.truncate(0)
        self.stream.seek(0)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def lines(self, logger: str = "") -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if line["logger"].startswith(logger)]

    def one(self) -> dict[str, Any]:
        """The line of the only request."""
        (line,) = self.lines(logs.REQUESTS)
        return line
