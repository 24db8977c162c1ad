"""Several files as one source: a row that two of them have counts once, and one that contradicts another is refused."""

from collections.abc import Collection, Iterable

from backend.flights.events import Event
from backend.flights.sources.rows import Reading, Reject


def told_once(readings: Iterable[Reading]) -> list[Reading]:
    """The readings, each without the rows that an earlier one has too: they are counted as repeated or refused."""
    told: list[Reading] = []
    for reading in readings:
        told.append(_without_what_was_told(reading, told))
    return told


def _without_what_was_told(reading: Reading, earlier: list[Reading]) -> Reading:
    first = {subject: before for before in earlier for subject in before.lines.keys() & reading.lines.keys()}
    if not first:
        return reading
    here, there = _words([reading], first), _words(earlier, first)
    rejects: list[Reject] = []
    for subject, before in first.items():
        if differing := here[subject] ^ there[subject]:
            kind = min(differing, key=lambda event: event.known_at).kind
            reason = f"contradicts line {before.lines[subject]} of {before.file}"
            rejects.append(reading.refusal(subject, kind, reason))
    return reading._replace(
        events=[event for event in reading.events if event.subject not in first],
        lines={subject: line for subject, line in reading.lines.items() if subject not in first},
        repeated=reading.repeated + len(first) - len(rejects),
        rejects=sorted([*reading.rejects, *rejects], key=lambda reject: reject.line),
    )


def _words(readings: Iterable[Reading], subjects: Collection[str]) -> dict[str, set[Event]]:
    """All that the readings say of each of those flights or hours."""
    words: dict[str, set[Event]] = {subject: set() for subject in subjects}
    for reading in readings:
        for event in reading.events:
            if event.subject in words:
                words[event.subject].add(event)
    return words
