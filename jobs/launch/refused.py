"""The one way in which a start is refused."""


class Refused(Exception):
    """Pushback cannot start or stop; the message is a sentence that says why and what to do."""
