"""The counters behind the rate limits."""

from __future__ import annotations

import threading

import pytest
from limits import parse
from limits.strategies import FixedWindowRateLimiter

from trunkline.work import counters
from trunkline.work.counters import Counters


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(counters.time, "time", lambda: now[0])
    monkeypatch.setattr(counters.time, "monotonic", lambda: now[0])
    return now


def test_a_limit_holds_for_its_window_and_then_again(clock: list[float]) -> None:
    limiter, rate = FixedWindowRateLimiter(Counters()), parse("2/minute")
    first = [limiter.hit(rate, "a") for _ in range(3)]
    clock[0] += 59
    still = limiter.hit(rate, "a")
    clock[0] += 2
    assert (first, still, limiter.hit(rate, "a")) == ([True, True, False], False, True)


def test_keys_do_not_share_a_count(clock: list[float]) -> None:
    limiter, rate = FixedWindowRateLimiter(Counters()), parse("1/minute")
    assert [limiter.hit(rate, who) for who in ("a", "b", "a")] == [True, True, False]


def test_the_window_says_when_it_ends(clock: list[float]) -> None:
    limiter, rate = FixedWindowRateLimiter(Counters()), parse("2/minute")
    limiter.hit(rate, "a")
    clock[0] += 10
    stats = limiter.get_window_stats(rate, "a")
    assert (stats.reset_time, stats.remaining) == (1060.0, 1)


def test_what_has_expired_is_forgotten(clock: list[float]) -> None:
    storage = Counters()
    for who in range(2000):
        storage.incr(str(who), 1)
    clock[0] += 2
    for _ in range(1024):
        storage.incr("now", 60)
    assert storage.reset() == 1


def test_no_thread_is_started() -> None:
    before = threading.active_count()
    limiter, rate = FixedWindowRateLimiter(Counters()), parse("1000/second")
    for _ in range(100):
        limiter.hit(rate, "a")
    assert threading.active_count() == before
