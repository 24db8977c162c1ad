"""How often a password may be tried: counted in the database, for all processes, before any is checked.

An address may fail so often a minute, whatever the names. An address that fails with one name waits after that, and
longer each time; a success forgets it. Nothing is counted by name alone, so that nobody can lock out somebody who
comes from elsewhere.
"""

from limits import RateLimitItemPerMinute
from limits.strategies import FixedWindowRateLimiter

from backend import options
from backend.api import context
from backend.api.address import client_network
from backend.api.errors import Problem
from backend.options import Limits
from backend.store.counters import Counters


class Attempts:
    """The attempts of who asks now with that name."""

    def __init__(self, username: str) -> None:
        self._here = context.get()
        self._allowed = options.of(self._here.documents, Limits)
        self._address = client_network()
        self._by_address = RateLimitItemPerMinute(self._allowed.failures_a_minute, namespace="failures")
        self._failures = f"failures/{self._address}/{username}"
        self._wait = f"wait/{self._address}/{username}"

    def require_free(self) -> None:
        """Raises Problem 429 where this address, or this name from it, has to wait. A flood writes nothing."""
        counters = self._here.counters
        self._require(counters, counters.get(self._wait) == 0, self._wait)
        of_address = self._by_address.key_for(self._address)
        self._require(counters, counters.get(of_address) < self._by_address.amount, of_address)

    def count(self) -> None:
        """Counts one more failure, before it is known whether it is one. Raises Problem 429 as `require_free`."""
        with self._here.counters.together() as counters:
            within = FixedWindowRateLimiter(counters).hit(self._by_address, self._address)
            failures = counters.incr(self._failures, self._allowed.remembered_minutes * 60)
            too_many = failures - self._allowed.failures_without_wait
            alone = too_many <= 0 or counters.incr(self._wait, self._seconds(too_many)) == 1
            counters.forget_ended()
        # After the transaction, which an error would undo.
        self._require(self._here.counters, within, self._by_address.key_for(self._address))
        self._require(self._here.counters, alone, self._wait)

    def forgive(self) -> None:
        """It was no failure: forgets the ones before it with this name, and takes this one from the address."""
        with self._here.counters.together() as counters:
            counters.give_back(self._by_address.key_for(self._address))
            counters.clear(self._failures)
            counters.clear(self._wait)

    def _seconds(self, too_many: int) -> int:
        """1, 2, 4, 8 … up to the longest wait."""
        return int(min(2 ** min(too_many - 1, 30), self._allowed.longest_wait_seconds))

    def _require(self, counters: Counters, free: bool, key: str) -> None:
        if free:
            return
        seconds = counters.seconds_left(key)
        detail = f"Too many logins from here have failed: try again in {seconds} s. Any other address is not affected."
        raise Problem(429, "Too many failed logins", detail, headers={"Retry-After": str(seconds)})
