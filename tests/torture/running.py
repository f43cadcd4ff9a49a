"""Faults one after the other, and what was told in the end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from random import Random

from whole.listener import RawWebSocket
from whole.waiting import NeverHappened, until

from .comparing import Window, findings
from .faults import Fault, chosen
from .place import Place

CALM = (1.0, 3.0)
"""Seconds between all being well and the next fault."""
GRACE = 2.0
"""Seconds for which a fault may still be felt once all is well: a call that was asked for before."""
SETTLED = 90.0


class Run:
    """``await strike(number)`` for each fault, then ``await ended()``."""

    def __init__(self, place: Place, seed: int, say: Callable[[str], None]) -> None:
        self._place, self._seed, self._say = place, seed, say
        self._began = time.monotonic()
        self.windows: list[Window] = []
        self.found: list[str] = []

    async def strike(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            await self.one(number, *chosen(self._seed, number))

    async def one(self, number: int, fault: Fault, dice: Random) -> None:
        """A fault, after some calm."""
        await asyncio.sleep(dice.uniform(*CALM))
        start, before = time.monotonic(), len(self._place.traffic.attempts)
        try:
            await fault.strike(self._place, dice)
            await until(self._place.well, "that all is well again", 90, every=0.2)
        except (NeverHappened, AssertionError) as error:
            self.found.append(f"fault {number} ({fault.name}): {error}")
        end = time.monotonic()
        self.windows.append(Window(fault.name, start, end + GRACE, fault.refuses))
        made = self._place.traffic.attempts[before:]
        codes = Counter(each.code for each in made)
        answered = sum(count for code, count in codes.items() if code == 200)
        self._say(
            f"fault {number:3} {fault.name:8} at {start - self._began:6.1f} s: well after {end - start:4.1f} s; "
            f"{len(made)} calls meanwhile, {answered} answered, {len(made) - answered - codes[0]} refused"
        )

    async def ended(self) -> list[str]:
        """All findings, once everything that is to come has come."""
        place = self._place
        await place.traffic.stop()
        listener = await place.stage.listen(RawWebSocket, place.tenant, 0)

        async def over() -> bool:
            if len(listener.events.all) < await place.newest():
                return False
            calls = {e.call_id for e in listener.events.all if e.name == "CHANNEL_CREATE"}
            calls |= {each.call_id for each in place.traffic.attempts if each.call_id}
            return calls <= {e.call_id for e in listener.events.all if e.name == "CALL_ENDED"}

        try:
            await until(over, "CALL_ENDED of every call", SETTLED)
        except NeverHappened as error:
            self.found.append(str(error))
        newest = await place.newest()
        with suppress(NeverHappened):
            await until(lambda: len(listener.events.all) >= newest, "all events", SETTLED)
        events = list(listener.events.all)

        posted = place.receiver.numbers
        await self._posted(len(events), posted)
        records = await place.records()
        attempts = place.traffic.attempts
        self.found += findings(attempts, self.windows, events, records, posted)
        return self.found

    async def _posted(self, count: int, posted: Sequence[int]) -> None:
        """Wait for the webhooks, for as long as some still come: a busy machine has many to send."""
        came, since = 0, time.monotonic()
        while time.monotonic() - since < SETTLED:
            now = len(set(posted))
            if now >= count:
                return
            if now > came:
                came, since = now, time.monotonic()
            await asyncio.sleep(1)
