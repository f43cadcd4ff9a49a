"""How much a key may ask for, told in every answer, and how often an address may send a wrong one.

Headers by draft-ietf-httpapi-ratelimit-headers-10: ``RateLimit-Policy: "second";q=100;w=1`` (quota,
window in seconds) and ``RateLimit: "second";r=99;t=1`` (what remains, seconds until it is reset).
"""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, parse, parse_many
from limits.strategies import FixedWindowRateLimiter

from trunkline.api.http.addresses import neighbourhood
from trunkline.api.http.answers import Headers
from trunkline.api.v1.conventions.problems import Problem, problem
from trunkline.work.counters import Counters
from trunkline.work.failed_logins import FailedLogins


class KeyRates:
    """Limits written as ``20/second``, several joined by ``;``; raises ValueError for others."""

    def __init__(self, request_rate: str, wrong_keys: str, logins: FailedLogins) -> None:
        self._logins = logins
        self._requests = parse_many(request_rate)
        self._wrong = parse(wrong_keys)
        self._limiter = FixedWindowRateLimiter(Counters())
        self._policy = ", ".join(_policy(item) for item in self._requests).encode()

    def request(self, key_id: str) -> tuple[Headers, Problem | None]:
        """Count a request of a key: the headers that tell of it, and the refusal if it is too much."""
        passed = [item for item in self._requests if self._limiter.hit(item, "request", key_id)]
        stats = [self._stats(item, key_id) for item in self._requests]
        told = ", ".join(
            f'"{item.GRANULARITY.name}";r={remaining};t={wait}'
            for item, (remaining, wait) in zip(self._requests, stats, strict=True)
        )
        headers = ((b"ratelimit-policy", self._policy), (b"ratelimit", told.encode()))
        if len(passed) == len(self._requests):
            return headers, None
        spent = (wait for remaining, wait in stats if remaining == 0)
        return headers, problem("rate_limited", retry_after=max(1, *spent, 1))

    @property
    def policy(self) -> list[tuple[int, int]]:
        """(requests, seconds) of each limit."""
        return [(item.amount, item.get_expiry()) for item in self._requests]

    def wrong_key(self, address: str) -> Problem:
        """Count a wrong key that came from the address; gives the refusal."""
        self._logins.failed("v1", address)
        who = ("wrong key", neighbourhood(address))
        if self._limiter.hit(self._wrong, *who):
            return problem("key_invalid", headers=CHALLENGE_INVALID)
        return problem("locked_out", retry_after=max(1, self._wait(self._wrong, *who)))

    def _stats(self, item: RateLimitItem, key_id: str) -> tuple[int, int]:
        """(what remains, seconds until the window ends)."""
        window = self._limiter.get_window_stats(item, "request", key_id)
        return max(0, window.remaining), _seconds_until(window.reset_time)

    def _wait(self, item: RateLimitItem, *who: str) -> int:
        return _seconds_until(self._limiter.get_window_stats(item, *who).reset_time)


CHALLENGE: Headers = ((b"www-authenticate", b'Bearer realm="trunkline"'),)
CHALLENGE_INVALID: Headers = (
    (b"www-authenticate", b'Bearer realm="trunkline", error="invalid_token"'),
)
"""RFC 6750, 3: without credentials there is no error code."""


def _policy(item: RateLimitItem) -> str:
    return f'"{item.GRANULARITY.name}";q={item.amount};w={item.get_expiry()}'


def _seconds_until(at: float) -> int:
    return max(0, math.ceil(at - time.time()))
