"""Many recorded calls at once: CPU a call, packets lost, short recordings, and how soon one can be played.

SIPp calls and SIPp answers, each with a tone. The baseline is the same Asterisk with ``Dial()`` and one MixMonitor a call.
A packet that is lost or comes out of its order breaks the tone, so a tenth of a second in which the tone does not fit
is a hole. SIPp itself may be late on a busy machine; the bare dialplan's recordings show that, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import httpx
import msgspec
import numpy as np
from tests.whole.carrier import Calling
from tests.whole.measured import LENGTH, File, decoded, talk_of
from tests.whole.stage import Tenant
from websockets.asyncio.client import connect

from ..bare_asterisk import BareAsterisk
from ..cpu_a_call import _own as cpu_ms
from ..event_at_client import _decode
from ..figures import Figure, quantile
from ..stage import Bench, on_stage, ports_with, tenant_with_device

CALLER, CALLEE = 437.0, 665.0
"""Tones of which 20 ms more or less are no whole wave."""
RATE, TALK, QUICK_TALK = 20, 60.0, 12.0
"""Calls placed a second, and how long each lasts."""
ROUNDS, SOME, PLATEAU = 3, 50, 6.0
"""For CPU: so often in turns, so many calls at once, for so many seconds."""
DID = "02871234567"
SCOPES = "calls:read,events:read,recordings:read"
_RTP = 1200
_WINDOW, _FITS = 0.1, 20.0
_EDGE = 1.0
"""Seconds at each end in which not both may be heard."""


class Side(NamedTuple):
    """One Asterisk: its process, where it takes calls, from which address."""

    pid: int
    sip: str
    caller: str


class Ready(NamedTuple):
    """When a call was hung up, and when it was told that its recording can be played (unix seconds)."""

    hung_up: float
    told: float


async def measure(calls: int, quick: bool) -> list[Figure]:
    """CPU in turns first, then as many as there are to be at once: the bare dialplan's, then ours."""
    talk = QUICK_TALK if quick else TALK
    async with on_stage(rtp=_RTP) as bench, _bare(bench) as (bare, folder):
        ours, tenant, headers = await _ours(bench)
        cpu: dict[str, list[float]] = {"bare": [], "ours": []}
        for _ in range(2 if quick else ROUNDS):
            for name, side in (("bare", bare), ("ours", ours)):
                cpu[name].append(await _cpu(bench, side, min(calls, SOME)))
        _emptied(folder)
        lost_bare = await _crowd(bench, bare, calls, talk)
        base = await asyncio.to_thread(_of_bare, folder, talk)
        known = {one["call_id"] for one in await tenant.api.history()}
        async with _listening(bench, tenant) as ready:
            lost_ours = await _crowd(bench, ours, calls, talk)
            await asyncio.sleep(5)
        found = await _of_ours(tenant, headers, known)
    return [
        _cpu_figure(cpu),
        *_whole(calls, talk, base, found, lost_bare, lost_ours),
        _soon(talk, [ready[one] for one in ready if one not in known]),
    ]


class Kept(NamedTuple):
    """Of many recordings: how many there are, how many are short (or long), and their holes."""

    count: int
    short: int
    holes: int
    worst: float


def _cpu_figure(cpu: dict[str, list[float]]) -> Figure:
    return Figure(
        name="CPU of the engine, a recorded call at once",
        baseline=median(cpu["bare"]),
        candidate=median(cpu["ours"]),
        unit="% of a core",
        ratio=median(our / own for own, our in zip(*cpu.values(), strict=True)),
        aim=1.2,
        note=f"{len(cpu['ours'])} rounds",
    )


def _whole(
    calls: int, talk: float, bare: Kept, ours: Kept, lost_bare: int, lost_ours: int
) -> list[Figure]:
    name = f"{calls} recorded calls of {talk:.0f} s at once"
    busy = "; machine too busy: the bare dialplan's have holes, too" if bare.holes else ""

    def figure(what: str, own: float, our: float, note: str) -> Figure:
        return Figure(
            name=f"{name}: {what}",
            baseline=own,
            candidate=our,
            unit="",
            aim=0,
            aim_is="candidate",
            note=note,
        )

    return [
        figure("missing", calls - bare.count, calls - ours.count, f"{ours.count} recordings"),
        figure(
            f"over {LENGTH * 1000:.0f} ms too short or long",
            bare.short,
            ours.short,
            f"worst {ours.worst * 1000:+.0f} ms; bare: {bare.worst * 1000:+.0f} ms",
        ),
        figure("tenths of a second with a hole", bare.holes, ours.holes, f"both channels{busy}"),
        figure("packets dropped at Asterisk's sockets", lost_bare, lost_ours, "of /proc/net/udp"),
    ]


def _soon(talk: float, ready: Sequence[Ready]) -> Figure:
    waits = [one.told - one.hung_up for one in ready]
    return Figure(
        name=f"hang-up to RECORDING_READY, p95, of {talk:.0f} s",
        baseline=quantile(waits, 0.5) * 1000,
        candidate=quantile(waits, 0.95) * 1000,
        aim=500,
        aim_is="candidate",
        note=f"{len(waits)} calls, {RATE} a second end; baseline is p50; worst {max(waits) * 1000:.0f} ms",
    )


# ---- Calls ----------------------------------------------------------------------------------------


@asynccontextmanager
async def _bare(bench: Bench) -> AsyncIterator[tuple[Side, Path]]:
    (ports, audio), caller = ports_with(_RTP), bench.address()
    try:
        carrier = await bench.carrier(bench.address(), tone=CALLEE)
        bare = BareAsterisk(
            bench.folder / "bare", ports.one(), audio, caller, carrier.host, recorded=True
        )
        await bare.start()
        try:
            yield Side(bare.pid, bare.sip, caller), bare.recorded
        finally:
            bare.stop()
    finally:
        ports.close()


async def _ours(bench: Bench) -> tuple[Side, Tenant, dict[str, str]]:
    caller = bench.address()
    tenant, device = await tenant_with_device(bench)
    await tenant.trunk(f"{caller}:{bench.ports.one()}")
    await tenant.number(DID, device.username)
    await bench.sipp_phone(device, tone=CALLEE)
    key = await bench.server.cli(
        "key", "create", "crm", "--account", tenant.name, "--scopes", SCOPES
    )
    assert bench.server.engine_pid
    side = Side(bench.server.engine_pid, bench.server.sip, caller)
    return side, tenant, {"Authorization": f"Bearer {key['key']}"}


def _calling(bench: Bench, side: Side, calls: int, hold: float) -> Calling:
    return Calling(
        side.caller,
        bench.ports.one(),
        bench.folder / f"calls-{time.monotonic_ns()}",
        side.sip,
        DID,
        calls=calls,
        rate=RATE,
        hold=hold,
        tone=CALLER,
        media_port=bench.ports.range(60)[0],
    )


async def _cpu(bench: Bench, side: Side, calls: int) -> float:
    """Per cent of a core for each call, while all of them talk."""
    climb = calls / RATE + 2
    calling = _calling(bench, side, calls, climb + PLATEAU + 2)
    await asyncio.sleep(climb)
    before, began = cpu_ms(side.pid), time.monotonic()
    await asyncio.sleep(PLATEAU)
    spent = (cpu_ms(side.pid) - before) / (time.monotonic() - began) / 10
    done = await calling.finished(60)
    assert done == calls, f"{done} of {calls} calls went well"
    await asyncio.sleep(2)
    return spent / calls


async def _crowd(bench: Bench, side: Side, calls: int, talk: float) -> int:
    """All calls, each for so long; gives the packets that found no room at Asterisk's sockets."""
    calling = _calling(bench, side, calls, talk)
    await asyncio.sleep(talk - 1)
    dropped = _dropped(side.pid)
    done = await calling.finished(talk + calls / RATE + 30)
    assert done == calls, f"{done} of {calls} calls went well"
    await asyncio.sleep(2)
    return dropped


def _dropped(pid: int) -> int:
    """Of all UDP sockets of a process: the last column of /proc/net/udp."""
    inodes = set()
    for entry in (Path("/proc") / str(pid) / "fd").iterdir():
        with contextlib.suppress(OSError):
            target = entry.readlink().name
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return sum(int(row[12]) for row in rows if row[9] in inodes)


@asynccontextmanager
async def _listening(bench: Bench, tenant: Tenant) -> AsyncIterator[dict[str, Ready]]:
    """Of each call whose recording can be played: since when."""
    ready: dict[str, Ready] = {}
    hung_up: dict[str, float] = {}

    def hear(frame: dict[str, Any], now: float) -> None:
        name, data = str(frame.get("name")), frame.get("data", {})
        state = data.get("state") or {}
        if name == "CHANNEL_DESTROY":
            at = datetime.fromisoformat(data["event_time"]).timestamp()
            hung_up.setdefault(state["id"], at)
        elif name == "RECORDING_READY":
            ready[state["call_id"]] = Ready(hung_up[state["call_id"]], now)

    async def listen() -> None:
        token = (await tenant.api.auth_token()).json()["value"]
        url = bench.server.url.replace("http", "ws", 1) + "/oapi/v1/voice/events"
        async with connect(url, proxy=None, compression=None, max_size=None) as socket:
            data = {"account_id": tenant.id, "binding": "call.#"}
            frame = {"action": "subscribe", "auth_token": token, "request_id": "1", "data": data}
            await socket.send(msgspec.json.encode(frame), text=True)
            async for message in socket:
                hear(_decode(message), time.time())

    listening = asyncio.create_task(listen())
    try:
        yield ready
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


# ---- Recordings -----------------------------------------------------------------------------------


def _emptied(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def _of_bare(folder: Path, talk: float) -> Kept:
    """What each caller said, and what each heard; a call of SIPp's lasts as long as it was told to."""
    short, holes, worst = 0, 0, 0.0
    said = sorted(folder.glob("*-r.wav"))
    for file in said:
        for path, tone in ((file, CALLER), (Path(str(file)[:-5] + "t.wav"), CALLEE)):
            sound = decoded(path.read_bytes())
            holes += _holes(sound, 0, tone)
            longer = sound.seconds - talk
            worst = max(worst, longer, key=abs)
            short += abs(longer) > LENGTH
    return Kept(len(said), short, holes, worst)


async def _of_ours(tenant: Tenant, headers: dict[str, str], known: set[str]) -> Kept:
    count, short, holes, worst = 0, 0, 0, 0.0
    async with httpx.AsyncClient(base_url=tenant.api.url, headers=headers, timeout=30) as client:
        for record in await tenant.api.history():
            if record["call_id"] in known:
                continue
            call = (await client.get(f"/v1/calls/{record['call_id']}")).json()
            kept = call["recording_file"]
            if not kept or kept["status"] != "ready":
                continue
            file = decoded((await client.get(kept["url"])).content)
            longer = file.seconds - talk_of(call).seconds
            worst = max(worst, longer, key=abs)
            count, short = count + 1, short + (abs(longer) > LENGTH)
            holes += _holes(file, 0, CALLER) + _holes(file, 1, CALLEE)
    return Kept(count, short, holes, worst)


def _holes(file: File, channel: int, tone: float) -> int:
    """Windows in which the tone does not fit as well as in a whole one."""
    size, edge = round(_WINDOW * file.rate), round(_EDGE * file.rate)
    sound = file.channels[channel][edge:-edge]
    parts = sound[: len(sound) // size * size].reshape(-1, size)
    at = 2 * np.pi * tone * np.arange(size) / file.rate
    base = np.stack([np.sin(at), np.cos(at), np.ones(size)], axis=1)
    fitted = parts @ (base @ np.linalg.pinv(base)).T
    said, rest = np.mean(fitted**2, axis=1), np.mean((parts - fitted) ** 2, axis=1)
    return int(np.sum(10 * np.log10((said + 1e-12) / (rest + 1e-12)) < _FITS))
