"""What every list takes and gives: `sort`, `limit`, `cursor`; `items`, `next`. A window of time is `from`, `until`."""

from typing import Any

from pydantic import Field

from backend import clock
from backend.api import schemas
from backend.store.pages import Page

CURSOR = "the `next` of the page before, to go on after it, with the same `sort` and the same filters"
SORT = "the field to sort by; `-` before it turns the order round"
NEXT = "the cursor of the next page; null on the last one"


def limit(usual: int = 50, most: int = 500) -> Any:
    """The field for how many items a page holds."""
    return Field(default=usual, ge=1, le=most, description="how many items at most")


def sort(usual: str) -> Any:
    """The field for the order. Its type is a Literal that names each field twice, plain and with `-`."""
    return Field(default=usual, description=SORT)


class Paged(schemas.Query):
    """The query of a list. A subclass says which fields its list can be sorted by: a Literal, made usual by `sort`."""

    sort: str
    limit: int = limit()
    cursor: str | None = Field(default=None, max_length=400, description=CURSOR)

    @property
    def page(self) -> Page:
        """Which part of the list is wanted."""
        return Page(self.sort, self.limit, self.cursor)


class Windowed(Paged):
    """The query of a list whose items have a time."""

    from_: schemas.Moment | None = Field(default=None, alias="from", description="from then on")
    until: schemas.Moment | None = Field(default=None, description="before then")

    @property
    def window(self) -> tuple[int | None, int | None]:
        """`from` and `until` in epoch seconds, None where an end is open."""
        begin, end = (None if time is None else clock.to_epoch(time) for time in (self.from_, self.until))
        return begin, end
