"""What little bytes of strangers may cost: memory, and the turns of all others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path

from .paths import UPGRADE
from .report import Report
from .sockets import frame
from .target import Target

MOST_MB, MOST_SECONDS = 80, 2.0
"""By which the server may grow, and for which somebody else may wait for an answer."""


async def attack(target: Target, report: Report) -> None:
    head = f"{target.host}\r\n"
    names = "&".join(f"n{number}" for number in range(12_000))
    shake = "\r\n".join(("GET /oapi/v1/voice/events HTTP/1.1", target.host, *UPGRADE, "", ""))
    for name, crowd, data in (
        ("a query of 12,000 names", 5, f"GET /oapi/v1/call/histories?{names}&n0 HTTP/1.1\r\n{head}\r\n"),
        ("a link with 12,000 names", 5, f"GET /recordings/x.mp3?{names}&n0 HTTP/1.1\r\n{head}\r\n"),
        ("8,000 requests, one behind the other", 30, f"GET /openapi.json HTTP/1.1\r\n{head}\r\n" * 8000),
        ("9,000 headers, and no end", 200, f"GET / HTTP/1.1\r\n{head}" + "X: a\r\n" * 9000),
        ("a body that nobody wants", 100, f"POST /x HTTP/1.1\r\n{head}Content-Length: 99999999\r\n\r\n" + "x" * 400_000),
    ):  # fmt: skip
        await _crowd(target, report, name, crowd, data.encode())
    floods = {"pings": frame(0x89, b"x" * 100), "texts": frame(0x81, b"{"), "pieces": frame(0, b"")}
    for name, one in floods.items():
        first = frame(0x01, b"") if name == "pieces" else b""
        await _crowd(target, report, f"a flood of {name}", 50, shake.encode(), first + one * 20_000)
    for packet in ("2x", "40/x,", "x", '42["a"]'):
        await _polled(target, report, packet)


async def _crowd(target: Target, report: Report, name: str, crowd: int, *parts: bytes) -> None:
    """So many send this, and read nothing."""
    before, others = _megabytes(target), asyncio.create_task(_others(target))
    writers = []
    for _ in range(crowd):
        _, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=1)
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0)
        writers.append(writer)
    await asyncio.sleep(3)
    _judge(report, f"{crowd} connections with {name}", target, before, await others)
    for writer in writers:
        writer.transport.abort()


async def _polled(target: Target, report: Report, packet: str) -> None:
    """Ten Socket.IO sessions without a token, to which this is sent again and again."""
    before, others = _megabytes(target), asyncio.create_task(_others(target))
    body = "\x1e".join([packet] * (60_000 // (len(packet) + 1))).encode()
    for _ in range(10):
        path = "/socket.io/?EIO=4&transport=polling"
        said = await target.raw(
            f"GET {path} HTTP/1.1\r\n{target.host}\r\nConnection: close\r\n\r\n".encode()
        )
        sid = json.loads(said.partition(b"\r\n\r\n")[2][1:])["sid"]
        post = f"POST {path}&sid={sid} HTTP/1.1\r\n{target.host}\r\nContent-Length: {len(body)}\r\n\r\n"
        await target.raw((post.encode() + body) * 10, patience=0.2)
    _judge(report, f"polls of {packet!r}", target, before, await others)


def _judge(report: Report, name: str, target: Target, before: int, waited: float) -> None:
    grown = _megabytes(target) - before
    report.case(f"{name}: memory stays", grown < MOST_MB, f"{grown} MB more")
    report.case(f"{name}: others are answered", waited < MOST_SECONDS, f"{waited:.1f} s")


async def _others(target: Target) -> float:
    """The longest that somebody else waited, of three seconds."""
    worst, ends = 0.0, time.monotonic() + 3
    while time.monotonic() < ends:
        began = time.monotonic()
        with contextlib.suppress(OSError):
            await target.status("GET", "/", target.host)
        worst = max(worst, time.monotonic() - began)
        await asyncio.sleep(0.02)
    return worst


def _megabytes(target: Target) -> int:
    assert target.server.program
    status = Path(f"/proc/{target.server.program.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024
