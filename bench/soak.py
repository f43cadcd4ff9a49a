"""Endurance: thousands of subscribers, a minute of events, frozen ones and ones that come and go.

Half of the clients are on the raw WebSocket, half on Socket.IO; all subscribe with ``after: 0`` and
check each number. One in twenty stops reading for a while; a few drop and come back with ``after``
all the time. At the end everybody must have every number of their account, in order, once.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import linear_regression

import msgspec

from .figures import Figure
from .sockets import cast
from .sockets.programs import RECEIVING, Program, compiled, core

CALLS = 10_000
"""Clients."""
ACCOUNTS, AT_ONCE, TICK = 200, 20, 0.1
"""Every tick a burst of events in each of the next accounts, so one a second in every account."""
SECONDS, BURST = 60, 5
QUICK_SECONDS, QUICK_BURST = 20, 12
SLOW = 20
"""One client of so many is frozen."""
FROZEN_FROM, FROZEN_TO = 0.05, 0.7
"""When, in shares of the events."""
CHURNED = 0.01
"""The share of the clients that drops and comes back, each second."""


class Seen(msgspec.Struct):
    """What all receivers counted, and how the server's memory went."""

    counts: dict[str, int]
    memory: list[float]
    """MB of the server's own, each second."""
    frozen: int
    seconds: float
    events: int

    @property
    def slope(self) -> float:
        """Growth in MB a minute over the last quarter, when no client is frozen any more."""
        tail = self.memory[-max(2, len(self.memory) // 4) :]
        return linear_regression(range(len(tail)), tail).slope * 60


async def measure(calls: int = CALLS) -> list[Figure]:
    """A minute with ``calls`` clients; raises AssertionError if any number is missed or doubled."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, core(RECEIVING))
    try:
        with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder:
            pace = (SECONDS, BURST) if calls >= CALLS else (QUICK_SECONDS, QUICK_BURST)
            return _figures(calls, await _Soak(calls, *pace, Path(folder)).run())
    finally:
        os.sched_setaffinity(0, everywhere)


class _Soak:
    def __init__(self, clients: int, seconds: int, burst: int, folder: Path) -> None:
        self._clients, self._seconds, self._burst, self._folder = clients, seconds, burst, folder
        self._running = AsyncExitStack()
        self._receivers: list[Program] = []
        self._memory: list[float] = []
        self._frozen = 0

    async def run(self) -> Seen:
        """All of it."""
        async with self._running:
            server = await self._connected()
            begun, ticks = time.monotonic(), round(self._seconds / TICK)
            await server.ask(f"burst {AT_ONCE} {self._burst} {TICK * 1e6:.0f} {ticks}", "bursting")
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch(server))
                heads = await self._trouble(server, ticks * AT_ONCE * self._burst)
                seconds = time.monotonic() - begun
                await self._all("final " + " ".join(heads), "complete", 120)
                watching.cancel()
            counts = await self._counts()
            return Seen(counts, self._memory, self._frozen, seconds, sum(map(int, heads)))

    async def _connected(self) -> Program:
        arguments = (str(self._folder), str(ACCOUNTS))
        server = await self._started(Program.python("bench.sockets.stored", *arguments))
        port = (await server.hear("port"))[0]
        pairs = [pair.split(":") for pair in await server.ask("tokens", "tokens")]
        ways = (("ws", cast.WS_PATH, cast.subscribe_ws), ("sio", cast.SIO_PATH, cast.subscribe_sio))
        for kind, path, line in ways:
            lines = self._folder / kind
            lines.write_text("".join(f"{line(*pair, after=cast.AFTER)}\n" for pair in pairs))
            command = [
                str(compiled("receiver", self._folder)),
                kind,
                "127.0.0.1",
                port,
                path,
                str(lines),
            ]
            self._receivers.append(await self._started(Program.start(command, RECEIVING)))
        self._tell(f"slow {SLOW}")
        await self._all(f"open {self._clients // len(ways)}", "opened", 120)
        self._tell("keep")
        return server

    async def _trouble(self, server: Program, events: int) -> list[str]:
        """Freeze, thaw, and let some drop and come back, until all events are out: each account's head."""
        some, thawed = round(self._clients * CHURNED / len(self._receivers)), False
        while True:
            heads = await server.ask("heads", "heads")
            share = sum(map(int, heads)) / events
            if share >= 1:
                return heads
            if share >= FROZEN_FROM and not self._frozen:
                self._frozen = sum(int(words[0]) for words in await self._all("freeze", "frozen"))
            if share >= FROZEN_TO and not thawed:
                thawed = bool(await self._all("thaw", "thawed"))
            await self._all(f"churn {some}", "churned")
            await asyncio.sleep(1)

    async def _watch(self, server: Program) -> None:
        while True:
            self._memory.append(server.memory() / 1024)
            await asyncio.sleep(1)

    async def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for words in await self._all("stats", "stats"):
            for name, number in (word.split("=") for word in words):
                counts[name] = counts.get(name, 0) + int(number)
        return counts

    def _tell(self, command: str) -> None:
        for receiver in self._receivers:
            receiver.say(command)

    async def _all(self, command: str, answer: str, seconds: float = 60) -> Sequence[list[str]]:
        asking = (receiver.ask(command, answer, seconds) for receiver in self._receivers)
        return await asyncio.gather(*asking)

    async def _started(self, starting: Awaitable[Program]) -> Program:
        program = await starting
        self._running.push_async_callback(program.stop)
        return program


def _figures(clients: int, seen: Seen) -> list[Figure]:
    counts = seen.counts
    wrong = {name: counts[name] for name in ("repeats", "holes", "gaps", "told_ahead", "refused")}
    start, most, end = seen.memory[0], max(seen.memory), seen.memory[-1]
    return [
        Figure(
            name=f"soak, {clients} clients: numbers amiss",
            baseline=counts["events"],
            candidate=sum(wrong.values()),
            unit="events",
            aim=0,
            aim_is="candidate",
            note=f"{seen.events} events in {seen.seconds:.0f} s; {counts['returns']} came back; {wrong}",
        ),
        Figure(
            name=f"soak, {clients} clients: frozen, cut off",
            baseline=seen.frozen,
            candidate=counts["told"],
            unit="clients",
            note=f"with the number to resume from; {counts['untold']} without",
        ),
        Figure(
            name=f"soak, {clients} clients: memory",
            baseline=start,
            candidate=end,
            unit="MB",
            ratio=end / start,
            note=f"most {most:.0f} MB; last quarter: {seen.slope:+.1f} MB a minute",
        ),
    ]
