"""How a measured server is told what to do: commands a line each on stdin, answers on stdout."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import socket
import sys
import time
from typing import Any, Protocol

import uvicorn
import uvloop


class Side(Protocol):
    """What is measured: an application that hands one event to all its clients."""

    server: uvicorn.Server

    async def publish(self) -> None:
        """One event more."""

    def connections(self) -> int:
        """How many clients the application knows of."""


class Control:
    """The commands that every side knows.

    publish EVENTS MICROS  that many events, one every so often  -> published
    empty                  once every connection is forgotten    -> empty <CLOCK_MONOTONIC ns>
    collect                free what is garbage                  -> collected <clients>
    """

    def __init__(self, side: Any) -> None:
        self.side = side
        self._files = 0

    async def run(self) -> None:
        """Until stdin ends."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        self._files = _open_files()
        while line := (await reader.readline()).decode().split():
            await getattr(self, line[0])(*(int(word) for word in line[1:]))

    async def publish(self, events: int, micros: int) -> None:
        due = time.monotonic()
        for _ in range(events):
            await self.side.publish()
            due += micros / 1e6
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        say("published")

    async def empty(self) -> None:
        while self.side.connections() or _open_files() > self._files:  # noqa: ASYNC110 (two counts)
            await asyncio.sleep(0.001)
        say(f"empty {time.monotonic_ns()}")

    async def collect(self) -> None:
        gc.collect()
        say(f"collected {self.side.connections()}")


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def say(line: str) -> None:
    """Answer."""
    print(line, flush=True)


def listening(kernel: int = 0) -> socket.socket:
    """A free port on loopback, and room for as many connections as may be.

    ``kernel``: the bytes that the kernel holds for each connection, where it is not to choose.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    if kernel:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, kernel)
    return listener


async def serve(control: Control, kernel: int = 0) -> None:
    """Serve, say the port, and obey until stdin ends."""
    listener, server = listening(kernel), control.side.server
    serving = asyncio.create_task(server._serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.01)
    say(f"port {listener.getsockname()[1]}")
    await control.run()
    server.should_exit = server.force_exit = True
    await serving


def run(control: Control) -> None:
    """The same, on the loop that the product runs on."""
    uvloop.run(serve(control))


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """Stands for the HTTP door."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
