"""Quick reads stay in the loop's thread; a slow one sends the next ones elsewhere for a while."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from trunkline.store.sqlite.quick_reads import SLOW, WARY, OnTheSpot


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


async def test_a_slow_read_sends_the_next_ones_to_other_threads(
    threads: ThreadPoolExecutor,
) -> None:
    clock = Clock()
    spot, here = OnTheSpot(threads, clock), threading.get_ident()

    def slow() -> int:
        clock.now += SLOW * 2
        return threading.get_ident()

    assert await spot.run(threading.get_ident) == here
    assert await spot.run(slow) == here
    assert await spot.run(threading.get_ident) != here
    clock.now += WARY
    assert await spot.run(threading.get_ident) == here


async def test_one_that_fails_slowly_counts_too(threads: ThreadPoolExecutor) -> None:
    clock = Clock()
    spot, here = OnTheSpot(threads, clock), threading.get_ident()

    def fails() -> int:
        clock.now += SLOW * 2
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await spot.run(fails)
    assert await spot.run(threading.get_ident) != here
