"""Calls all the time, and what became of each as its phones know it."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import suppress
from random import Random
from typing import Any, Literal

import httpx
import msgspec

from whole.party import Call, Party
from whole.stage import Device, Tenant
from whole.waiting import NeverHappened, until

Kind = Literal["in", "out", "click"]
DID = "842873009000"
_KINDS: tuple[Kind, ...] = ("in", "in", "out", "out", "click")
_SIGNAL = 40.0
"""Seconds after which nobody waits for a call any longer; SIP itself gives up after 32."""


class Quiet(Party):
    """A party that says nothing: its calls cost little."""

    async def _voice(self, call: Call) -> Any:
        voice = await super()._voice(call)
        voice.speaking = False
        return voice


class Attempt(msgspec.Struct):
    """One call. ``number`` is that of whoever is outside, and of this call alone."""

    number: str
    kind: Kind
    placed_at: float
    decided_at: float = 0
    code: int = 0
    """What the caller was answered with (SIP, or HTTP for a click); 0: nothing came."""
    call_id: str = ""
    """Of a click that was promised."""
    spoke: tuple[float, float] | None = None
    """From when to when both phones were up."""
    odd: str = ""
    said: str = ""
    """Why a click was refused."""

    @property
    def seconds(self) -> float:
        return max(0.0, self.spoke[1] - self.spoke[0]) if self.spoke else 0.0


class Traffic:
    """``rate`` calls a second between a desk and the outside, from ``start`` to ``stop``."""

    def __init__(
        self, tenant: Tenant, desk: Party, device: Device, carrier: Party, seed: int, rate: float
    ) -> None:
        self.tenant, self.desk, self.device, self.carrier = tenant, desk, device, carrier
        self._seed, self._rate = seed, rate
        self.attempts: list[Attempt] = []
        self._calls: set[asyncio.Task[None]] = set()
        self._going: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Place calls."""
        self._going = asyncio.create_task(self._go())

    async def stop(self) -> None:
        """Place no more, and wait until the last is over."""
        if self._going:
            self._going.cancel()
            await asyncio.gather(self._going, return_exceptions=True)
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def forget(self) -> None:
        """The engine has died: the phones drop their calls, as phones do that hear nothing any more."""
        parties = (self.desk, self.carrier)
        # A wait whose answer comes as it is cancelled goes on (Python before 3.12): it is cancelled once more.
        while True:
            forgetting = [asyncio.ensure_future(each.forget()) for each in parties]
            _done, left = await asyncio.wait(forgetting, timeout=2)
            if not left:
                return
            for task in left:
                task.cancel()
            await asyncio.wait(left)

    async def _go(self) -> None:
        for count in itertools.count():
            task = asyncio.create_task(self._one(count))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
            await asyncio.sleep(1 / self._rate)

    async def _one(self, count: int) -> None:
        dice = Random(f"{self._seed}:call:{count}")
        kind = dice.choice(_KINDS)
        attempt = Attempt(f"0900{count:06d}", kind, time.monotonic())
        self.attempts.append(attempt)
        try:
            ends = await (self._click(attempt) if kind == "click" else self._dial(attempt))
            if ends:
                await self._talk(attempt, ends, dice)
        except (NeverHappened, AssertionError) as error:
            attempt.odd = str(error).splitlines()[0]
        finally:
            attempt.decided_at = attempt.decided_at or time.monotonic()

    async def _dial(self, attempt: Attempt) -> tuple[Call, Call] | None:
        if attempt.kind == "in":
            call = self.carrier.dial(DID, caller=attempt.number)
            other = self.desk
        else:
            call, other = self.desk.dial(attempt.number), self.carrier
        await until(lambda: call.up_at or call.over_at, f"an answer to {call}", _SIGNAL)
        attempt.code, attempt.decided_at = call.code, time.monotonic()
        if not call.up_at:
            return None
        far = await until(lambda: _with(other, attempt.number), f"the far end of {call}", 5)
        return call, far

    async def _click(self, attempt: Attempt) -> tuple[Call, Call] | None:
        api, device = self.tenant.api, self.device
        with suppress(httpx.HTTPError):  # then nobody knows
            answer = await api.click_to_call(
                attempt.number, device.sip_user, device.password, key=f"key-{attempt.number}"
            )
            attempt.code = answer.status_code
            if answer.status_code == 200:
                attempt.call_id = answer.json()["call_id"]
            else:
                attempt.said = f" {answer.json()['message']}: {answer.json().get('detail', '')}"
        attempt.decided_at = time.monotonic()
        if attempt.code not in (0, 200):
            return None
        near, far = None, None
        with suppress(NeverHappened):
            near = await until(lambda: _with(self.desk, attempt.number), "the device", 8)
            far = await until(
                lambda: _with(self.carrier, attempt.number) or near.over_at, "the carrier", 8
            )
        return (near, far) if isinstance(near, Call) and isinstance(far, Call) else None

    async def _talk(self, attempt: Attempt, ends: tuple[Call, Call], dice: Random) -> None:
        with suppress(NeverHappened):
            await until(lambda: all(e.up_at or e.over_at for e in ends), "both up", 5)
        hold, first = dice.uniform(1, 5), dice.choice(ends)
        with suppress(NeverHappened):
            await until(lambda: any(each.over_at for each in ends), "its end", hold)
        with suppress(NeverHappened):
            await first.hang_up()
        with suppress(NeverHappened):
            await until(lambda: all(each.over_at for each in ends), "its end at both", 10)
        ups, overs = [e.up_at for e in ends], [e.over_at for e in ends if e.over_at]
        if all(ups) and overs:
            attempt.spoke = max(ups), min(overs)
        if not all(each.over_at for each in ends):
            attempt.odd = "one end never heard of its end"
            for each in ends:
                each._over("us")
        asyncio.get_running_loop().call_later(40, self._drop, ends)

    def _drop(self, ends: tuple[Call, Call]) -> None:
        for party in (self.desk, self.carrier):
            party.calls = [call for call in party.calls if call not in ends]


def _with(party: Party, number: str) -> Call | None:
    """The call that came to a party from or for that number, once it is answered or over."""
    return next(
        (
            call
            for call in reversed(party.calls)
            if call.incoming and number in (call.number, call.caller_id)
        ),
        None,
    )
