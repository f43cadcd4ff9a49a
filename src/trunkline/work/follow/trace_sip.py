"""Keep the SIP messages of calls: sort what the engine tells of them by calls, write once a second.

They are for people who look for a fault. Nothing waits for them, and nothing is promised of them: a
kill loses those of the last second, and without room they are dropped and counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from ipaddress import ip_address, ip_network

import structlog

from trunkline.calls.call import Call
from trunkline.calls.times import SECOND
from trunkline.engine.port import LegInSip, Trunk
from trunkline.sip.dialogs import SipDialogs, TracedCall
from trunkline.sip.message import CapturedSip, SipPart
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.ports.sip_messages import SipMessages
from trunkline.work.told_at_most import ToldAtMost

log = structlog.get_logger()

WRITE_EVERY = 1.0  # seconds
DAY = 86_400_000_000
_PRUNE_EVERY = 3600.0
_FORGET_EVERY = 10_000_000


class TraceSip:
    """The verb that keeps SIP messages for ``days``.

    ``clock`` gives unix microseconds, and so does ``deleting``, by which they are deleted.
    """

    def __init__(
        self,
        messages: SipMessages,
        trunks: Callable[[], Awaitable[Iterable[Trunk]]],
        dialogs: SipDialogs,
        clock: Callable[[], int],
        days: int,
        deleting: Callable[[], int] | None = None,
    ) -> None:
        self._trunks = trunks
        self._strangers = ToldAtMost[tuple[str, str]](
            window=60, each=1, in_all=60, kinds=1000, rest=lambda _: ("", "")
        )
        self._messages, self._dialogs, self._clock, self._days = messages, dialogs, clock, days
        self._deleting = deleting or clock
        self._unwritten: list[SipPart] = []
        self._forgot = 0
        self._failed = 0
        self.stored = 0
        """Messages kept since the process started."""

    @property
    def dropped(self) -> int:
        """Messages of calls that were not kept since the process started."""
        return self._dialogs.dropped + self._failed

    def hear(self, signal: LegInSip) -> None:
        self._dialogs.heard(signal.leg_id, signal.sip_call_id)

    def follow(self, call: Call) -> None:
        self._dialogs.follow(call, self._clock())

    async def run(self, captured: AsyncIterator[list[CapturedSip]] | None) -> None:
        """Take in what the engine tells, if there is any, and forget what is old, for ever.

        When this is cancelled, the messages that wait are written.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._prune())
            if captured is not None:
                tasks.create_task(self._take(captured))
                tasks.create_task(self._write())

    async def _prune(self) -> None:
        while True:
            try:
                await self._messages.prune(self._deleting() - self._days * DAY)
            except Exception:
                log.exception("sip_trace.prune_failed")
            await asyncio.sleep(_PRUNE_EVERY)

    async def _take(self, captured: AsyncIterator[list[CapturedSip]]) -> None:
        async for some in captured:
            for message in some:
                try:
                    self._dialogs.take(message)
                except Exception:  # no fault in here may end the server
                    self._failed += 1
                    log.exception("sip_trace.not_understood")

    async def _write(self) -> None:
        try:
            while True:
                await asyncio.sleep(WRITE_EVERY)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Write what waits; what the database cannot take now is tried again the next time."""
        now = self._clock()
        await self._tell_of_strangers()
        if now - self._forgot >= _FORGET_EVERY:
            self._forgot = now
            self._dialogs.forget(now)
        parts = self._unwritten = self._unwritten or self._parts(now)
        if not parts:
            return
        count = sum(len(part.messages) for part in parts)
        try:
            await self._messages.add(parts)
            self.stored += count
        except DatabaseUnavailable:
            return
        except Exception:  # a second try would fail, too
            self._failed += count
            log.exception("sip_trace.not_written", messages=count)
        self._unwritten = []
        self._dialogs.held -= sum(len(one.text) for part in parts for one in part.messages)

    async def _tell_of_strangers(self) -> None:
        """A trunk's carrier may send from any address that its calls may come from."""
        found, self._dialogs.strangers = self._dialogs.strangers, []
        if not found:
            return
        try:
            trunks = list(await self._trunks())
        except DatabaseUnavailable:
            trunks = []
        for each in found:
            theirs = (match for trunk in trunks if trunk.account_id == each.account_id for match in trunk.match)  # fmt: skip
            if any(_is_in(each.host, match) for match in theirs):
                continue
            seconds = self._clock() / SECOND
            if self._strangers.now((each.call_id, each.host), 1, seconds):
                log.warning(
                    "sip.stranger_in_dialog",
                    address=each.host,
                    method=each.method,
                    call_id=each.call_id,
                    leg_id=each.leg_id,
                    account_id=each.account_id,
                )
            self._strangers.over(seconds)

    def _parts(self, now: int) -> list[SipPart]:
        changed, self._dialogs.changed = self._dialogs.changed, {}
        return [_part(call, now) for call in changed.values() if call.waiting or call.skipped]


def _is_in(host: str, match: str) -> bool:
    try:
        return ip_address(host) in ip_network(match, strict=False)
    except ValueError:  # a name
        return False


def _part(call: TracedCall, now: int) -> SipPart:
    waiting, call.waiting = call.waiting, []
    skipped, call.skipped = call.skipped, 0
    return SipPart(
        account_id=call.account_id,
        call_id=call.call_id,
        stored_at=now,
        messages=tuple(waiting),
        skipped=skipped,
    )
