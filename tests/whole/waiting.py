"""Waiting for things to happen: never a sleep that hopes."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class NeverHappened(AssertionError):
    """What a test waited for did not come in time."""


@overload
async def until(
    probe: Callable[[], Awaitable[T | None]], what: str, timeout: float = 20, every: float = 0.05
) -> T: ...


@overload
async def until(
    probe: Callable[[], T | None], what: str, timeout: float = 20, every: float = 0.05
) -> T: ...


async def until(
    probe: Callable[[], Any], what: str, timeout: float = 20, every: float = 0.05
) -> Any:
    """Ask ``probe`` until it gives something true, and give that; raises NeverHappened."""
    deadline = time.monotonic() + timeout
    while True:
        answer = probe()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise NeverHappened(f"{what} did not happen within {timeout:g} s")
        await asyncio.sleep(every)


class Timeline(Generic[T]):
    """Things in the order in which they came, for tests that wait for one of them."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.all: list[T] = []
        self._news = asyncio.Condition()

    async def add(self, item: T) -> None:
        """Put the newest thing at the end and wake all who wait."""
        async with self._news:
            self.all.append(item)
            self._news.notify_all()

    async def wait(
        self, wanted: Callable[[T], bool], why: str, timeout: float = 20, skip: int = 0
    ) -> T:
        """The first thing that is wanted, past the first ``skip``; come already or yet to come."""

        def found() -> T | None:
            return next((item for item in self.all[skip:] if wanted(item)), None)

        try:
            async with self._news, asyncio.timeout(timeout):
                await self._news.wait_for(lambda: found() is not None)
        except TimeoutError:
            seen = "\n  ".join(map(str, self.all[-30:]))
            raise NeverHappened(
                f"{self.what}: {why} did not come within {timeout:g} s; seen:\n  {seen}"
            ) from None
        thing = found()
        assert thing is not None
        return thing
