"""How many recorded calls a second, and how many at once, beside a bare dialplan on the same Asterisk.

SIPp calls an inbound number, SIPp answers, both send a tone. A level holds if every call is answered and ends as
it should, SIPp keeps its pace, and no event comes a second after it happened; the next level is tried until one
does not hold. What the machine gives to SIPp, Asterisk cannot have, so beside what was reached stands what one
core carries, by the CPU that Asterisk and Python took. Bounded: levels end where the lists end.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from tests.whole.carrier import Calling
from tests.whole.stage import Tenant
from tests.whole.waiting import NeverHappened
from websockets.asyncio.client import connect

from .bare_asterisk import BareAsterisk
from .cpu_a_call import _own as cpu_ms
from .event_at_client import _decode
from .figures import Figure
from .stage import Bench, on_stage, ports_with, tenant_with_device

CALLS = 300
"""The most at once that are tried."""
RATES = (5, 10, 20, 30, 40, 60, 80)
AT_ONCE = (50, 100, 200, 300)
SECONDS, TALK, CLIMB = 5, 2, 20
"""How long a rate is held, how long its calls last, and how many a second come up to how many at once."""
PLATEAU = 4
LATE = 1.0
"""Seconds."""
SLOW = 2.0
"""Seconds: SIPp has not kept its pace if a level lasts so much longer than it should."""
TONE = 440.0
DID = "02871234567"
_RTP = 1200
"""Ports: 4 for a call of two legs, and the rest of a block for all else."""


class Level(NamedTuple):
    """What was tried, how much of it one core carries, and why it did not hold ("" if it did)."""

    amount: int
    per_core: float
    failed: str


class Load(NamedTuple):
    """How a level's calls are placed; with a ``plateau``, CPU is counted while all of them are there."""

    calls: int
    rate: float
    hold: float
    plateau: float = 0.0

    @property
    def climbing(self) -> float:
        """Seconds until the last one is placed."""
        return self.calls / self.rate


class Side:
    """One Asterisk, the processes that do its work, and how to call through it."""

    def __init__(
        self, pids: list[int], call: Callable[[Load], Awaitable[str]], lateness: Lateness | None
    ) -> None:
        self._pids, self._call, self._lateness = pids, call, lateness

    async def climb(self, loads: list[Load]) -> list[Level]:
        """Every level up to the first that does not hold."""
        tried: list[Level] = []
        for load in loads:
            tried.append(await self._level(load))
            if tried[-1].failed:
                break
        return tried

    async def _level(self, load: Load) -> Level:
        if self._lateness:
            self._lateness.worst = 0.0
        counting = asyncio.create_task(self._at_once(load)) if load.plateau else None
        before = self._cpu()
        failed = await self._call(load)
        await asyncio.sleep(1.5)  # what follows a call belongs to it: its record, its recording
        spent = self._cpu() - before
        late = self._lateness.worst if self._lateness else 0.0
        if not failed and late > LATE:
            failed = f"an event came {late:.1f} s late"
        if counting is None:
            return Level(round(load.rate), load.calls / spent, failed)
        return Level(load.calls, await counting, failed)

    async def _at_once(self, load: Load) -> float:
        """Calls that one core carries, while all of them are there."""
        await asyncio.sleep(load.climbing + 1)
        before, began = self._cpu(), time.monotonic()
        await asyncio.sleep(load.plateau)
        return load.calls * (time.monotonic() - began) / (self._cpu() - before)

    def _cpu(self) -> float:
        return sum(map(cpu_ms, self._pids)) / 1000


class Lateness:
    """By how many seconds the latest event came after it happened."""

    worst = 0.0
    heard = 0

    async def listen(self, bench: Bench, tenant: Tenant) -> None:
        """To all events of the account, until cancelled."""
        token = (await tenant.api.auth_token()).json()["value"]
        url = bench.server.url.replace("http", "ws", 1) + "/oapi/v1/voice/events"
        async with connect(url, proxy=None, compression=None, max_size=None) as socket:
            data = {"account_id": tenant.id, "binding": "call.#"}
            frame = {"action": "subscribe", "auth_token": token, "request_id": "1", "data": data}
            await socket.send(msgspec.json.encode(frame), text=True)
            async for message in socket:
                self._hear(_decode(message), time.time())

    def _hear(self, frame: dict[str, Any], now: float) -> None:
        if str(frame.get("name")).startswith("CHANNEL_"):
            happened = datetime.fromisoformat(frame["data"]["event_time"]).timestamp()
            self.worst = max(self.worst, now - happened)
            self.heard += 1


async def measure(calls: int = CALLS) -> list[Figure]:
    """A second, then at once; the bare dialplan first, alone, then ours."""
    rates = [Load(rate * SECONDS, rate, TALK) for rate in RATES if rate * TALK <= calls]
    crowds = [_crowd(n) for n in [n for n in AT_ONCE if n <= calls] or [calls]]
    found: dict[str, tuple[list[Level], list[Level]]] = {}
    for name, made in (("bare", _bare), ("ours", _ours)):
        async with on_stage(rtp=_RTP) as bench, made(bench) as side:
            await side.climb([Load(5, 5, 1)])  # what the first calls load, later ones find
            found[name] = await side.climb(rates), await side.climb(crowds)
    return [
        figure
        for n, (what, unit) in enumerate(
            (("recorded calls a second", "/s"), ("recorded calls at once", "calls"))
        )
        for figure in _figures(what, unit, found["bare"][n], found["ours"][n])
    ]


def _crowd(n: int) -> Load:
    return Load(n, CLIMB, n / CLIMB + PLATEAU + 2, PLATEAU)


def _figures(what: str, unit: str, bare: list[Level], ours: list[Level]) -> list[Figure]:
    best = [_best(bare), _best(ours)]
    per_core = [level.per_core for level in best]
    note = f"bare: {_ending(bare)}; ours: {_ending(ours)}"
    return [
        _figure(f"{what}, {name}", unit, *pair, note)
        for name, pair, note in (
            ("on this machine, with SIPp beside it", [float(each.amount) for each in best], note),
            ("per core that is used", per_core, "at the last level that held"),
        )
    ]


def _figure(name: str, unit: str, bare: float, ours: float, note: str) -> Figure:
    ratio = ours / bare if bare else None
    return Figure(name=name, baseline=bare, candidate=ours, ratio=ratio, unit=unit, note=note)


def _best(levels: list[Level]) -> Level:
    return next((level for level in reversed(levels) if not level.failed), Level(0, 0.0, ""))


def _ending(levels: list[Level]) -> str:
    last = levels[-1]
    return f"{last.amount}: {last.failed}" if last.failed else f"{last.amount} and no end seen"


@asynccontextmanager
async def _bare(bench: Bench) -> AsyncIterator[Side]:
    """The same Asterisk with a plain dialplan, in a block of ports of its own."""
    (ports, audio), caller = ports_with(_RTP), bench.address()
    try:
        carrier = await bench.carrier(bench.address(), tone=TONE)
        bare = BareAsterisk(bench.folder / "bare", ports.one(), audio, caller, carrier.host)
        await bare.start()
        try:
            yield Side([bare.pid], _caller(bench, caller, bare.sip), None)
        finally:
            bare.stop()
    finally:
        ports.close()


@asynccontextmanager
async def _ours(bench: Bench) -> AsyncIterator[Side]:
    caller, lateness = bench.address(), Lateness()
    tenant, device = await tenant_with_device(bench)
    await tenant.trunk(f"{caller}:{bench.ports.one()}")
    await tenant.number(DID, device.username)
    await bench.sipp_phone(device, tone=TONE)
    python, engine = bench.server.program, bench.server.engine_pid
    assert python
    assert engine
    listening = asyncio.create_task(lateness.listen(bench, tenant))
    try:
        yield Side([engine, python.pid], _caller(bench, caller, bench.server.sip), lateness)
        assert lateness.heard, "no event came"
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


def _caller(bench: Bench, address: str, server: str) -> Callable[[Load], Awaitable[str]]:
    async def call(load: Load) -> str:
        calling = Calling(
            address,
            bench.ports.one(),
            bench.folder / f"calls-{time.monotonic_ns()}",
            server,
            DID,
            calls=load.calls,
            rate=load.rate,
            hold=load.hold,
            tone=TONE,
            media_port=bench.ports.range(60)[0],
        )
        began = time.monotonic()
        try:
            done = await calling.finished(load.climbing + load.hold + 20)
        except NeverHappened:
            done = calling.succeeded
            await calling.stop()
        longer = time.monotonic() - began - load.climbing - load.hold
        if done < load.calls:
            return f"{load.calls - done} of {load.calls} calls failed"
        return f"it took {longer:.1f} s longer" if longer > SLOW else ""

    return call
