"""Click-to-call to INVITE, beside a bare originate over ARI's HTTP on the same Asterisk.

From the moment before the request is written to a kept-alive connection, to the moment in which the
kernel takes in the INVITE on the phone's socket.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from .figures import Figure, compared, quantile
from .stage import Bench, on_stage, tenant_with_device
from .stand_in import StandIn

CALLS = 300
PAUSE = 0.08


class Kept:
    """A kept-alive HTTP connection that says when it began to write."""

    def __init__(self, host: str, port: int, headers: dict[str, str]) -> None:
        self._headers = headers
        self._connection = http.client.HTTPConnection(host, port, timeout=10)
        self._connection.connect()

    def post(self, path: str, body: bytes) -> int:
        """POST, and wait for the answer, which must be 200; gives the time before, in unix ns."""
        begun = time.time_ns()
        self._connection.request("POST", path, body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status == 200, (answer.status, text)
        return begun


async def measure(calls: int = CALLS) -> list[Figure]:
    """Both ways in turn, ``calls`` times each."""
    async with on_stage() as bench:
        tenant, device = await tenant_with_device(bench)
        carrier = bench.stand_in()
        await tenant.trunk(f"{carrier.host}:{carrier.port}")
        phone = await bench.registered(device)
        api = tenant.api
        ours = _ours(bench, api.headers, device.sip_user, device.password)
        bare = _bare(bench, device.sip_user)
        return await asyncio.to_thread(_take_turns, phone, bare, ours, calls, bench.server.data)


def _take_turns(
    phone: StandIn, bare: Callable[[], int], ours: Callable[[], int], calls: int, folder: Path
) -> list[Figure]:
    taken: tuple[list[float], list[float]] = ([], [])
    disk: list[float] = []
    for number in range(10 + calls):
        for way, samples in zip((bare, ours), taken, strict=True):
            count = len(phone.arrived)
            begun = way()
            samples.append((phone.invite_after(count) - begun) / 1e6)
            phone.idle_after(count + 1)
            time.sleep(PAUSE)
        if number % 3 == 0:
            disk.append(_one_sync(folder))
    bare_ms, ours_ms = (samples[10:] for samples in taken)
    note = f"{calls} calls each; one fdatasync here p50={quantile(disk, 0.5):.2f} ms"
    return [
        compared("click-to-call to INVITE p50", bare_ms, ours_ms, 0.5, aim=1.3, note=note),
        compared("click-to-call to INVITE p99", bare_ms, ours_ms, 0.99),
    ]


def _ours(bench: Bench, headers: dict[str, str], sip_user: str, password: str) -> Callable[[], int]:
    host, port = bench.server.http.split(":")
    kept = Kept(host, int(port), headers | {"Content-Type": "application/json"})
    body = json.dumps({"sipUser": sip_user, "sipPassword": password}).encode()

    def call() -> int:
        number = f"0{secrets.randbelow(10**9):09}"  # the same one within 3 s would be one call
        return kept.post(f"/oapi/v1/call/click-to-call/{number}", body)

    return call


def _bare(bench: Bench, sip_user: str) -> Callable[[], int]:
    ari = bench.ari
    headers = {"Authorization": ari.authorization, "Content-Type": "application/json"}
    kept = Kept("127.0.0.1", ari.port, headers)
    call = {"endpoint": f"PJSIP/{sip_user}", "context": "click", "priority": 1, "timeout": 30}
    body = json.dumps(call | {"extension": "0281234567"}).encode()
    return lambda: kept.post("/ari/channels", body)


def _one_sync(folder: Path) -> float:
    """How long this disk takes to make 4 KiB at the end of a file durable, in ms."""
    file = os.open(folder / "sync", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        begun = time.perf_counter()
        os.write(file, b"x" * 4096)
        os.fdatasync(file)
        return (time.perf_counter() - begun) * 1000
    finally:
        os.close(file)
