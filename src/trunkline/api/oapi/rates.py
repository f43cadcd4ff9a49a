"""How much an app may ask for, and how often it may be wrong: counters in memory."""

from __future__ import annotations

import math
import time
from functools import lru_cache

from limits import RateLimitItem, parse
from limits.strategies import FixedWindowRateLimiter

from trunkline.api.http.addresses import neighbourhood
from trunkline.api.http.errors import refuse
from trunkline.work.counters import Counters
from trunkline.work.failed_logins import FailedLogins
from trunkline.work.refused import Refused


class Rates:
    """Three limits written as ``20/second``; raises ValueError for one that is not."""

    def __init__(
        self, request_rate: str, call_rate: str, auth_failures: str, logins: FailedLogins
    ) -> None:
        self._requests = parse(request_rate)
        self._calls = parse(call_rate)
        self._failures = parse(auth_failures)
        self._logins = logins
        self._counters = Counters()
        self._limiter = FixedWindowRateLimiter(self._counters)

    def request(self, app_id: str) -> None:
        """Count a request of the app; raises Refused RATE_LIMITED."""
        self._count(self._requests, "request", app_id)

    def call(self, app_id: str) -> None:
        """Count a click-to-call of the app; raises Refused RATE_LIMITED."""
        self._count(self._calls, "call", app_id)

    def failed(self, app_id: str, address: str) -> None:
        """Count a wrong hash that came for the app from the address."""
        self._limiter.hit(self._failures, "hash", app_id, neighbourhood(address))
        self._logins.failed("oapi", address)

    def unknown(self, address: str) -> None:
        """Tell of an app that there is not, or not for this address."""
        self._logins.failed("oapi", address)

    def locked_out(self, app_id: str, address: str) -> None:
        """Raises Refused RATE_LIMITED when too many wrong hashes came from there."""
        who = ("hash", app_id, neighbourhood(address))
        if self._counters.get(_key(self._failures, who)) >= self._failures.amount:
            raise self._refused(self._failures, *who)

    def _count(self, item: RateLimitItem, *who: str) -> None:
        if self._counters.incr(_key(item, who), item.get_expiry()) > item.amount:
            raise self._refused(item, *who)

    def _refused(self, item: RateLimitItem, *who: str) -> Refused:
        resets_at = self._limiter.get_window_stats(item, *who).reset_time
        return refuse("RATE_LIMITED", retry_after=max(1, math.ceil(resets_at - time.time())))


@lru_cache(maxsize=4096)
def _key(item: RateLimitItem, who: tuple[str, ...]) -> str:
    """Where ``limits`` counts it: making that takes longer than counting."""
    return item.key_for(*who)
