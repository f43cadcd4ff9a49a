"""Clients that take and give nothing: connections, halves of requests, sockets, sessions and streams."""

from __future__ import annotations

import asyncio
import contextlib

from .paths import UPGRADE
from .report import Report
from .target import Target

_FROM = "127.0.0.6"


async def attack(target: Target, report: Report) -> None:
    for name, sent in {
        "that say nothing": b"",
        "in the middle of a head": f"GET / HTTP/1.1\r\n{target.host}\r\nX: ".encode(),
        "in the middle of a body": f"POST /oapi/v1/voice/auth_token HTTP/1.1\r\n{target.host}\r\nContent-Length: 9\r\n\r\nx".encode(),
        "on sockets without a token": "\r\n".join(("GET /oapi/v1/voice/events HTTP/1.1", target.host, *UPGRADE, "", "")).encode(),
    }.items():  # fmt: skip
        open_, healthy = await _crowd(target, sent, 1200)
        report.case(f"1,200 clients {name}: no more than 1,000 stay", open_ <= 1000, open_)
        report.case(f"1,200 clients {name}: others are served", healthy)
    await _streams(target, report)
    await _late(target, report)


class Member(asyncio.Protocol):
    """One of a crowd; ``gone``: the server has closed."""

    gone = False

    def eof_received(self) -> bool:
        self.gone = True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True


async def _crowd(target: Target, sent: bytes, number: int) -> tuple[int, bool]:
    """(how many stay open, whether another one of the same address is answered)."""
    loop, every = asyncio.get_running_loop(), []
    for _ in range(number):
        with contextlib.suppress(OSError):
            transport, member = await loop.create_connection(
                Member, "127.0.0.1", target.port, local_addr=(_FROM, 0)
            )
            every.append((transport, member))
            transport.write(sent)
    ask = f"GET /healthz HTTP/1.1\r\n{target.host}\r\nConnection: close\r\n\r\n"
    said = await target.raw(ask.encode(), address=_FROM, patience=8)
    open_ = sum(not member.gone for _, member in every)
    for transport, _ in every:
        transport.close()
    return open_, b" 200 " in said


async def _streams(target: Target, report: Report) -> None:
    ask = f"GET /v1/events/stream HTTP/1.1\r\n{target.host}\r\nAuthorization: Bearer {target.key}\r\n\r\n".encode()
    every, refused = [], 0
    for _ in range(1100):
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        every.append(writer)
        writer.write(ask)
        refused += (await reader.readline())[9:12] == b"429"
    report.case("1,100 streams of one key: 1,000 are opened", refused == 100, refused)
    seen = await target.status("GET", "/healthz", target.host)
    report.case("1,100 streams of one key: others are served", seen == 200, seen)
    for writer in every:
        writer.close()


async def _late(target: Target, report: Report) -> None:
    loop = asyncio.get_running_loop()
    for name, head in {
        "a head": f"GET / HTTP/1.1\r\n{target.host}\r\n",
        "a body": f"POST /oapi/v1/voice/auth_token HTTP/1.1\r\n{target.host}\r\nContent-Length: 99\r\n\r\n",
    }.items():
        start = loop.time()
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        writer.write(head.encode())
        drip = asyncio.create_task(_drip(writer))
        async with asyncio.timeout(30):
            await reader.read()
        drip.cancel()
        took = loop.time() - start
        report.case(f"{name} that drips is cut after 10 s", 9 < took < 13, took)


async def _drip(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(Exception):
        while True:
            writer.write(b"x")
            await asyncio.sleep(1)
