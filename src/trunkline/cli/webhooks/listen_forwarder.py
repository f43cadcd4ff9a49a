"""Posting events to a developer's own URL, as the server posts them to webhooks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType

import msgspec
import stamina

from trunkline.cli.event_log.event_view import GAP, EventView
from trunkline.cli.retries import TransientFailure
from trunkline.delivery.webhook import Attempt, Outgoing, message_id, outgoing_gap
from trunkline.webhooks.port import Post
from trunkline.webhooks.sign import signed_headers

ATTEMPTS = 5
"""How often a URL that takes no connection is tried."""
_AT_ONCE = 20
_WAITING = 1000


class Forwarded(msgspec.Struct, frozen=True):
    """An event that was posted: its last attempt, and how many there were."""

    view: EventView
    timezone: str | None
    """Its account's; None: not known."""
    attempt: Attempt
    attempts: int


class _NotThere(TransientFailure):
    """The URL takes no connection."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt.error)
        self.attempt = attempt


class Forwarder:
    """Posts events: those of one call (or device, …) one after the other, those of several at once.

    Only a connection that is not taken is tried again: what the URL answers is its answer.
    """

    def __init__(
        self,
        post: Post,
        url: str,
        secret: str,
        clock: Callable[[], int],
        told: Callable[[Forwarded], None],
        pause: float = 0.5,
    ) -> None:
        """``pause`` is the first one before another attempt, in seconds; they grow."""
        self._post, self._url, self._secret, self._clock = post, url, secret, clock
        self._told, self._pause = told, pause
        self._lanes: dict[str, deque[tuple[EventView, str | None]]] = {}
        self._waiting: dict[int, None] = {}
        self._newest = 0
        self._room = asyncio.Semaphore(_WAITING)
        self._posting = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Forwarder:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Post what was taken; after an exception, drop it."""
        if kind is not None:
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def reached(self) -> int:
        """The number up to which all has been posted; 0 before the first event."""
        return min(self._waiting) - 1 if self._waiting else self._newest

    async def take(self, view: EventView, timezone: str | None = None) -> None:
        """Take an event on; returns at once while not too many wait.

        Raises what ``told`` raised for an earlier one.
        """
        if self._failure is not None:
            raise self._failure
        await self._room.acquire()
        self._waiting[view.seq] = None
        self._newest = max(self._newest, view.seq)
        lane = view.call_id or f"{view.category}:{view.subject}"
        if lane in self._lanes:
            self._lanes[lane].append((view, timezone))
            return
        self._lanes[lane] = deque([(view, timezone)])
        task = asyncio.create_task(self._empty(lane))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._failure = self._failure or task.exception()

    async def _empty(self, lane: str) -> None:
        events = self._lanes[lane]
        while events:
            async with self._posting:
                forwarded = await self._forward(*events[0])
            events.popleft()
            del self._waiting[forwarded.view.seq]
            self._room.release()
            self._told(forwarded)
        del self._lanes[lane]

    async def _forward(self, view: EventView, timezone: str | None) -> Forwarded:
        tries = 0
        attempt = Attempt(at=self._clock())
        try:
            async for trial in stamina.retry_context(
                on=_NotThere,
                attempts=ATTEMPTS,
                timeout=None,
                wait_initial=self._pause,
                wait_max=self._pause * 8,
                wait_jitter=self._pause / 2,
            ):
                with trial:
                    tries += 1
                    attempt = await self._try(view)
        except _NotThere as error:
            attempt = error.attempt
        return Forwarded(view, timezone, attempt, tries)

    async def _try(self, view: EventView) -> Attempt:
        headers = signed_headers(_message_id(view), self._clock(), view.raw, [self._secret])
        attempt = await self._post(self._url, headers, view.raw)
        if attempt.status is None and attempt.connect_ms is None:
            raise _NotThere(attempt)
        return attempt


def _message_id(view: EventView) -> str:
    if view.type == GAP:
        return message_id(view.account_id, outgoing_gap(view.data["from"], view.data["to"]))
    event = Outgoing(seq=view.seq, lane="", name=view.type, kind="event")
    return message_id(view.account_id, event)
