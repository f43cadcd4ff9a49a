"""An event at the client, beside the same event on ARI's own socket.

Whole click-to-calls to stand-ins, one after the other; for each step of each leg, how much later it
comes to a client of the event socket than to a listener of ARI that takes every event. All
sockets are read by one loop of one process, so it delays them alike.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any

import msgspec
import socketio
from websockets.asyncio.client import ClientConnection, connect

from .figures import Figure, quantile
from .stage import Bench, on_stage, tenant_with_device

CALLS = 80
Step = tuple[str, str]
"""(Call-ID of a leg, what happened to it)."""
Seen = dict[Step, float]
"""When each step first came, in seconds of the monotonic clock."""

STEPS = {
    "ChannelCreated": "CHANNEL_CREATE",
    "ChannelEnteredBridge": "CHANNEL_BRIDGE",
    "ChannelDestroyed": "CHANNEL_DESTROY",
}
STATES = {"Ringing": "CHANNEL_PROGRESS", "Up": "CHANNEL_ANSWER"}
_decode = msgspec.json.Decoder(dict[str, Any]).decode


async def measure(calls: int = CALLS) -> list[Figure]:
    """``calls`` calls, heard by three listeners at once."""
    async with on_stage() as bench:
        tenant, device = await tenant_with_device(bench)
        carrier = bench.stand_in(code=200, ring=0.05, talk=0.15)
        await tenant.trunk(f"{carrier.host}:{carrier.port}")
        await bench.registered(device, code=200, ring=0.05)
        token = (await tenant.api.auth_token()).json()["value"]
        raw, by_socket_io, ari = Seen(), Seen(), Seen()
        listening = [
            asyncio.create_task(_hear_ari(await _ari(bench), ari)),
            asyncio.create_task(_hear_raw(await _raw(bench, tenant.id, token), raw)),
        ]
        client = await _socket_io(bench, tenant.id, token, by_socket_io)
        for number in range(calls):
            await tenant.click(device, f"0{secrets.randbelow(10**9):09}")
            await asyncio.to_thread(carrier.idle_after, number + 1)
            await asyncio.sleep(0.15)
        await asyncio.sleep(0.5)
        for task in listening:
            if task.done():
                task.result()  # it ended by itself: say why
            task.cancel()
        await client.disconnect()
    return [
        *_figures("WebSocket", ari, raw, calls),
        *_figures("Socket.IO", ari, by_socket_io, calls),
    ]


def _figures(name: str, ari: Seen, ours: Seen, calls: int) -> list[Figure]:
    late = {step: (ours[step] - ari[step]) * 1000 for step in ari if step in ours}
    assert len(late) > calls * 8, f"only {len(late)} of {len(ari)} steps came"
    kinds = sorted({kind for _, kind in late})
    each = (
        f"{kind[8:].lower()} {quantile([ms for (_, k), ms in late.items() if k == kind], 0.5):.1f}"
        for kind in kinds
    )
    notes = {0.5: f"later than ARI, p50 of each: {', '.join(each)}", 0.99: f"{len(late)} events"}
    return [
        Figure(
            name=f"event at {name} p{share * 100:.0f}",
            baseline=0.0,
            candidate=quantile(list(late.values()), share),
            aim=10 if share == 0.99 else None,
            aim_is="candidate",
            note=notes[share],
        )
        for share in (0.5, 0.99)
    ]


async def _ari(bench: Bench) -> ClientConnection:
    ari = bench.ari
    return await connect(
        f"ws://127.0.0.1:{ari.port}/ari/events?app=bench&subscribeAll=true",
        additional_headers={"Authorization": ari.authorization},
        proxy=None,
        compression=None,
    )


async def _hear_ari(socket: ClientConnection, seen: Seen) -> None:
    async for message in socket:
        now = time.monotonic()
        event = _decode(message)
        channel = event.get("channel") or {}
        kind = STEPS.get(event["type"])
        if event["type"] == "ChannelStateChange":
            kind = STATES.get(channel["state"])
        if kind:
            seen.setdefault((channel["id"], kind), now)


async def _raw(bench: Bench, account_id: str, token: str) -> ClientConnection:
    url = bench.server.url.replace("http", "ws", 1) + "/oapi/v1/voice/events"
    socket = await connect(url, proxy=None, compression=None)
    data = {"account_id": account_id, "binding": "call.*.*"}
    frame = {"action": "subscribe", "auth_token": token, "request_id": "1", "data": data}
    await socket.send(msgspec.json.encode(frame), text=True)
    assert _decode(await socket.recv())["status"] == "success"
    return socket


async def _hear_raw(socket: ClientConnection, seen: Seen) -> None:
    async for message in socket:
        now = time.monotonic()
        frame = _decode(message)
        seen.setdefault((frame["data"].get("call_id", ""), frame["name"]), now)


async def _socket_io(bench: Bench, account_id: str, token: str, seen: Seen) -> Any:
    client = socketio.AsyncClient(reconnection=False)
    for kind in (*STEPS.values(), *STATES.values()):
        client.on(kind, _noting(kind, seen))
    await client.connect(bench.server.url, transports=["websocket"])
    asked = {"account_id": account_id, "auth_token": token, "binding": "call.*.*"}
    assert (await client.call("subscribe", asked))["status"] == "success"
    return client


def _noting(kind: str, seen: Seen) -> Callable[[dict[str, Any]], Any]:
    async def note(event: dict[str, Any]) -> None:
        seen.setdefault((event["Call-ID"], kind), time.monotonic())

    return note
