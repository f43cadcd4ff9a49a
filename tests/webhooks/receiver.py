"""Webhook receivers: real HTTP servers on loopback whose manners a test chooses."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from standardwebhooks import Webhook as Verifier


class Got(NamedTuple):
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def seq(self) -> int:
        return int(self.event["seq"])

    def verify(self, secret: str) -> Any:
        """Raises what the library raises for a request that was not signed so."""
        return Verifier(secret).verify(self.body, self.headers)


Manner = Callable[[Got, asyncio.StreamWriter], Awaitable[None]]


def says(status: int, body: bytes = b"", **headers: str) -> Manner:
    """Answers with this."""

    async def answer(_: Got, writer: asyncio.StreamWriter) -> None:
        told = {
            "content-length": str(len(body)),
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        writer.write(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body)
        await writer.drain()

    return answer


async def hangs(_: Got, writer: asyncio.StreamWriter) -> None:
    """Takes the request, and says nothing."""
    await asyncio.sleep(3600)


async def resets(_: Got, writer: asyncio.StreamWriter) -> None:
    """Ends the connection with an RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def raves(_: Got, writer: asyncio.StreamWriter) -> None:
    """Speaks no HTTP."""
    writer.write(b"220 mail.example.com ESMTP\r\n")
    await writer.drain()


class Receiver:
    """A receiver; ``manner`` is how it answers from now on."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.manner: Manner = says(200)
        self.open = self.most_open = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def seqs(self) -> list[int]:
        return [got.seq for got in self.got]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            got = await _read(reader)
            self.got.append(got)
            await self.manner(got, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Got:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers["content-length"]))
    return Got(head[0].split(" ")[1], headers, body, asyncio.get_running_loop().time())


@asynccontextmanager
async def receiving(port: int = 0, **more: Any) -> AsyncIterator[Receiver]:
    """A receiver on a free port (or this one)."""
    receiver = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        try:
            await receiver.serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", port, **more)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
