"""CPU a call: ours (event log, realtime, recording) beside a bare dialplan on the same Asterisk.

SIPp calls, SIPp answers, two seconds later the caller hangs up. Once without audio and once with a
tone both ways. CPU is what the kernel counts for the whole process, ended threads included; that of
children (none is expected: a recording ends without a command) and of our Python stands beside it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import msgspec
from tests.whole.carrier import Calling
from tests.whole.stage import Tenant

from .bare_asterisk import BareAsterisk
from .figures import Figure
from .stage import Bench, on_stage, tenant_with_device

CALLS = 180
ROUNDS, RATE, HOLD = 3, 10, 2
DID = "02871234567"
_TICK = os.sysconf("SC_CLK_TCK")


class Spent(msgspec.Struct, frozen=True):
    """CPU milliseconds a call."""

    asterisk: float
    children: float
    python: float


class Side:
    """One Asterisk, how to call through it, and which processes do the work."""

    def __init__(self, asterisk: int, python: int | None, call: Callable[[int], Awaitable[None]]):
        self._asterisk, self._python, self._call = asterisk, python, call
        self.rounds: list[Spent] = []

    async def take_turn(self, calls: int) -> None:
        """Place the calls, and note what one of them cost."""
        before = self._now()
        await self._call(calls)
        after = self._now()
        spent = [(late - early) / calls for early, late in zip(before, after, strict=True)]
        self.rounds.append(Spent(*spent))

    def _now(self) -> tuple[float, float, float]:
        python = _own(self._python) if self._python else 0.0
        return _own(self._asterisk), _of_children(self._asterisk), python

    def typical(self, part: str) -> float:
        """The median round."""
        return float(median(getattr(spent, part) for spent in self.rounds))


async def measure(calls: int = CALLS) -> list[Figure]:
    """Without audio, then with it; ``calls`` on each side."""
    figures: list[Figure] = []
    for tone in (0.0, 440.0):
        async with on_stage() as bench:
            figures += await _measure(bench, tone, max(1, calls // ROUNDS))
    return figures


async def _measure(bench: Bench, tone: float, calls: int) -> list[Figure]:
    caller = bench.address()
    bare = await _bare(bench, caller, tone)
    ours, tenant = await _ours(bench, caller, tone)
    try:
        for number in range(ROUNDS + 1):
            for side in (bare, ours):
                await side.take_turn(calls if number else 5)
    finally:
        bench.bare.stop()
    for side in (bare, ours):
        del side.rounds[0]  # the first calls load what later ones find there
    await _check(tenant, calls * ROUNDS + 5, heard=bool(tone))
    return _figures("audio" if tone else "no audio", bare, ours, calls)


def _figures(name: str, bare: Side, ours: Side, calls: int) -> list[Figure]:
    pairs = list(zip(bare.rounds, ours.rounds, strict=True))
    base = bare.typical("asterisk")
    whole = [(our.asterisk + our.children + our.python, own.asterisk) for own, our in pairs]
    note = f"{ROUNDS} rounds of {calls} calls, {RATE}/s"

    def figure(what: str, part: float, ratios: list[float], **more: object) -> Figure:
        return Figure(
            name=f"CPU a call, {name}: {what}",
            baseline=base,
            candidate=part,
            ratio=median(ratios),
            **more,  # type: ignore[arg-type]
        )

    return [
        figure(
            "Asterisk",
            ours.typical("asterisk"),
            [our.asterisk / own.asterisk for own, our in pairs],
            aim=1.8,
            note=note,
        ),
        figure(
            "its children",
            ours.typical("children"),
            [our.children / own.asterisk for own, our in pairs],
        ),
        figure("Python", ours.typical("python"), [our.python / own.asterisk for own, our in pairs]),
        figure(
            "all of it",
            median(all_of_it for all_of_it, _ in whole),
            [all_of_it / own for all_of_it, own in whole],
        ),
    ]


async def _bare(bench: Bench, caller: str, tone: float) -> Side:
    carrier = await bench.carrier(bench.address(), tone=tone)
    bench.bare = BareAsterisk(
        bench.folder / "bare", bench.ports.one(), bench.ports.range(400), caller, carrier.host
    )
    await bench.bare.start()
    return Side(bench.bare.pid, None, _caller(bench, caller, bench.bare.sip, tone))


async def _ours(bench: Bench, caller: str, tone: float) -> tuple[Side, Tenant]:
    tenant, device = await tenant_with_device(bench)
    await tenant.trunk(f"{caller}:{bench.ports.one()}")
    await tenant.number(DID, device.username)
    await bench.sipp_phone(device, tone=tone)
    python, engine = bench.server.program, bench.server.engine_pid
    assert python
    assert engine
    call = _caller(bench, caller, bench.server.sip, tone)
    return Side(engine, python.pid, call), tenant


def _caller(
    bench: Bench, address: str, server: str, tone: float
) -> Callable[[int], Awaitable[None]]:
    async def call(calls: int) -> None:
        media = bench.ports.range(60)[0] if tone else 0
        folder = bench.folder / f"calls-{time.monotonic_ns()}"
        calling = Calling(
            address,
            bench.ports.one(),
            folder,
            server,
            DID,
            calls=calls,
            rate=RATE,
            hold=HOLD,
            tone=tone,
            media_port=media,
        )
        done = await calling.finished(120)
        assert done == calls, f"{done} of {calls} calls went well: see {folder}"
        await asyncio.sleep(2)  # what follows a call belongs to it: its record, its recording

    return call


async def _check(tenant: Tenant, calls: int, heard: bool) -> None:
    """Every call of ours must have joined two people; where audio flowed, it is recorded."""
    records = await tenant.api.records(calls)
    good = [
        one
        for one in records
        if one["status_detail"] == "SUCCESS" and (one["recording"] or not heard)
    ]
    bad = next((one for one in records if one not in good), None)
    assert len(good) == len(records) == calls, f"{len(good)} of {calls} calls are good: {bad}"


def _own(pid: int) -> float:
    """CPU ms of a process, all threads that it ever had: its CPU clock, clock_getcpuclockid(3)."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e6


def _of_children(pid: int) -> float:
    """CPU ms of its children that have ended: cutime and cstime of proc(5)."""
    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) * 1000 / _TICK
