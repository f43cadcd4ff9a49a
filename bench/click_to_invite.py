"""Click-to-call to INVITE, beside a bare originate over ARI's HTTP and what a user would write (``own_click``).

All on the same Asterisk for the same phone. From the moment before the request is written to a kept-alive connection, to the moment in which the
kernel takes in the INVITE on the phone's socket.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import secrets as chance
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from tests.whole.api import sha256
from tests.whole.waiting import until

from .figures import Figure, compared, quantile
from .own_click import Told
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
    """All ways in turn, ``calls`` times each."""
    async with on_stage() as bench:
        tenant, device = await tenant_with_device(bench)
        carrier = bench.stand_in()
        await tenant.trunk(f"{carrier.host}:{carrier.port}")
        phone = await bench.registered(device)
        api = tenant.api
        known = api.app_id, api.secret, device.sip_user, device.password
        async with _own_program(bench, Told(bench.ari.password, *known)) as port:
            ways = {
                "a bare originate": _bare(bench, device.sip_user),
                "FastAPI and ARI": _click(f"127.0.0.1:{port}", "/click-to-call/", *known),
                "ours": _click(bench.server.http, "/oapi/v1/call/click-to-call/", *known),
            }
            return await asyncio.to_thread(_take_turns, phone, ways, calls, bench.server.data)


def _take_turns(
    phone: StandIn, ways: Mapping[str, Callable[[], int]], calls: int, folder: Path
) -> list[Figure]:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    disk: list[float] = []
    for number in range(10 + calls):
        for name, way in ways.items():
            count = len(phone.arrived)
            begun = way()
            taken[name].append((phone.invite_after(count) - begun) / 1e6)
            phone.idle_after(count + 1)
            time.sleep(PAUSE)
        if number % 3 == 0:
            disk.append(_one_sync(folder))
    samples = {name: each[10:] for name, each in taken.items()}
    note = f"{calls} calls each; one fdatasync here p50={quantile(disk, 0.5):.2f} ms"
    return [
        figure
        for name, aim in (("a bare originate", 1.5), ("FastAPI and ARI", 1.0))
        for figure in _figures(name, samples[name], samples["ours"], aim, note)
    ]


def _figures(
    name: str, baseline: list[float], ours: list[float], aim: float, note: str
) -> list[Figure]:
    what = f"click-to-call to INVITE / {name}"
    return [
        compared(f"{what}, p50", baseline, ours, 0.5, aim=aim, note=note),
        compared(f"{what}, p99", baseline, ours, 0.99),
    ]


def _click(
    where: str, path: str, app_id: str, secret: str, sip_user: str, password: str
) -> Callable[[], int]:
    host, port = where.split(":")
    proof = {"x-auth-app-id": app_id, "x-auth-app-hash": sha256(app_id, secret)}
    kept = Kept(host, int(port), proof | {"Content-Type": "application/json"})
    body = json.dumps({"sipUser": sip_user, "sipPassword": password}).encode()

    def call() -> int:
        number = f"0{chance.randbelow(10**9):09}"  # the same one within 3 s would be one call
        return kept.post(f"{path}{number}", body)

    return call


@asynccontextmanager
async def _own_program(bench: Bench, told: Told) -> AsyncIterator[int]:
    """The port of what a user would write, once it takes connections."""
    port = bench.ports.one()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.own_click", str(port), str(bench.ari.port)),
        stdin=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdin
        process.stdin.write(msgspec.json.encode(told) + b"\n")
        await process.stdin.drain()

        async def answers() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return False
            writer.close()
            return True

        await until(answers, "FastAPI answers")
        yield port
    finally:
        process.terminate()
        await process.wait()


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
