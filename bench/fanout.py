"""Fan-out: one event to thousands of sockets, beside a C ``send()`` loop over as many of them.

All senders are on one core and take turns, all receivers (C, epoll) on the other. The loop writes
the very bytes that the server before it wrote, to as many accepted loopback sockets, read by the
same program. CPU is the sender's process clock over a block of events, divided by deliveries.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import msgspec

from .figures import Figure
from .sockets import cast
from .sockets.programs import RECEIVING, SENDING, Program, compiled, core

CALLS = 60
"""Events at each number of subscribers."""
BLOCK = 10
SIZES = (1000, 5000)
PER_DELIVERY = 25
"""Microseconds between two events for each subscriber: enough to be idle in between."""


class Way(msgspec.Struct, frozen=True):
    """A way to an event: who serves it, and how a client asks for it."""

    name: str
    server: str
    kind: str
    path: str
    line: str
    kilobytes: float | None = None
    """The aim for a connection's memory."""
    slower: int = 1
    """How many times longer between events; so many times fewer of them."""


_FIRST = cast.account(0), cast.token(0)
WAYS = (
    Way("raw WebSocket", "ours", "ws", cast.WS_PATH, cast.subscribe_ws(*_FIRST), 30),
    Way("Socket.IO", "ours", "sio", cast.SIO_PATH, cast.subscribe_sio(*_FIRST), 50),
    Way("SSE", "ours", "sse", cast.SSE_PATH, cast.subscribe_sse()),
    Way(
        "python-socketio emit",
        "python-socketio",
        "sio",
        cast.SIO_PATH,
        cast.subscribe_sio(*_FIRST),
        slower=5,
    ),
)


class Block(msgspec.Struct, frozen=True):
    """What one block of events cost: CPU microseconds a delivery, p99 and median in ms."""

    cpu: float
    p50: float
    p99: float


class Side:
    """A sender with its receiver."""

    def __init__(self, sender: Program, receiver: Program, slower: int = 1) -> None:
        self.sender, self.receiver, self._slower = sender, receiver, slower
        self.clients = 0

    async def open(self, clients: int) -> None:
        """Have that many clients."""
        more, self.clients = clients - self.clients, clients
        await self.receiver.ask(f"open {more}", "opened")

    async def block(self, events: int) -> Block:
        """Publish, wait until all of it has been received."""
        micros = self.clients * PER_DELIVERY * self._slower
        self.receiver.say(f"expect {events * self.clients}")
        before = self.sender.cpu()
        await self.sender.ask(f"publish {events} {micros}", "published", 600)
        await self.receiver.hear("got")
        spent = self.sender.cpu() - before
        _, p50, p99, _ = await self.receiver.ask("latency", "latency")
        cpu = spent * 1e6 / events / self.clients
        return Block(cpu, int(p50) / 1e6, int(p99) / 1e6)

    async def close(self) -> float:
        """Close all at once; gives the seconds until the server has forgotten them."""
        begun, _ = await self.receiver.ask("close", "closed")
        self.clients = 0
        gone = await self.sender.ask("empty", "empty")
        counts = dict(word.split("=") for word in await self.receiver.ask("stats", "stats"))
        assert counts["repeats"] == counts["holes"] == counts["refused"] == "0", counts
        return (int(gone[0]) - int(begun)) / 1e9

    async def memory(self) -> float:
        """The sender's memory in kB, garbage freed."""
        await self.sender.ask("collect", "collected")
        return self.sender.memory()


class Bare(Side):
    """The C loop."""

    async def open(self, clients: int) -> None:
        """Have that many clients."""
        self.sender.say(f"accept {clients - self.clients}")
        await super().open(clients)
        await self.sender.hear("accepted")

    async def copy(self, other: Side) -> None:
        """Send from now on what the other side sends."""
        await other.block(1)
        frame = await other.receiver.ask("frame", "frame")
        await self.sender.ask(f"frame {frame[0]}", "framed")


async def measure(calls: int = CALLS) -> list[Figure]:
    """Every way at every size, ``calls`` events each."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, core(RECEIVING))
    try:
        with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder:
            return [
                figure
                for way in WAYS
                for figure in await _Measured(way, Path(folder)).figures(calls)
            ]
    finally:
        os.sched_setaffinity(0, everywhere)


class _Measured:
    """One way beside the bare loop, in fresh processes."""

    def __init__(self, way: Way, folder: Path) -> None:
        self._way, self._folder = way, folder
        self._running = AsyncExitStack()

    async def figures(self, events: int) -> list[Figure]:
        """All that there is to say of it."""
        async with self._running:
            ours, bare = await self._ours(), await self._bare()
            empty = await _warmed(ours)
            found: list[Figure] = []
            for size in SIZES:
                await ours.open(size)
                await bare.open(size)
                kept = (await ours.memory() - empty) / size
                found += await self._at(ours, bare, events)
            found.append(self._memory(kept, (await ours.memory() - empty) / size))
            return [*found, await self._disconnect(ours)]

    async def _at(self, ours: Side, bare: Bare, events: int) -> list[Figure]:
        await bare.copy(ours)
        turns = [(await bare.block(BLOCK), await ours.block(BLOCK)) for _ in range(events // BLOCK)]
        name = f"{self._way.name}, {ours.clients}:"
        aim = 1.5 if self._way.server == "ours" else None
        return [
            _compared(f"{name} CPU a delivery", turns, "cpu", "us", aim),
            _compared(f"{name} delivery p50", turns, "p50", "ms"),
            _compared(f"{name} delivery p99", turns, "p99", "ms"),
        ]

    def _memory(self, connected: float, after: float) -> Figure:
        return Figure(
            name=f"{self._way.name}: memory a connection",
            baseline=connected,
            candidate=after,
            unit="kB",
            aim=self._way.kilobytes,
            aim_is="candidate",
            note="just connected, and after the events",
        )

    async def _disconnect(self, ours: Side) -> Figure:
        """Seconds for all of the larger size; the ratio is the cost of one, beside the smaller."""
        small, large = SIZES
        seconds: dict[int, list[float]] = {small: [], large: [await ours.close()]}
        for size in (small, large) * 2:
            await ours.open(size)
            seconds[size].append(await ours.close())
        few, many = median(seconds[small]), median(seconds[large])
        return Figure(
            name=f"{self._way.name}: {large} disconnect",
            baseline=few,
            candidate=many,
            unit="s",
            ratio=(many / large) / (few / small),
            aim=1.0 if self._way.server == "ours" else None,
            aim_is="candidate",
            note=f"baseline: {small}; ratio: for each connection",
        )

    async def _ours(self) -> Side:
        server = await self._started(Program.python("bench.sockets.server", self._way.server))
        port = (await server.hear("port"))[0]
        return Side(server, await self._receiver(self._way.kind, port), self._way.slower)

    async def _bare(self) -> Bare:
        program = compiled("sender", self._folder)
        sender = await self._started(Program.start([str(program)], SENDING))
        kind = "bare-sse" if self._way.kind == "sse" else "bare"
        return Bare(sender, await self._receiver(kind, (await sender.hear("port"))[0]))

    async def _receiver(self, kind: str, port: str) -> Program:
        lines = self._folder / f"{self._way.server}-{self._way.kind}"
        lines.write_text(f"{self._way.line}\n")
        program = str(compiled("receiver", self._folder))
        command = [program, kind, "127.0.0.1", port, self._way.path, str(lines)]
        return await self._started(Program.start(command, RECEIVING))

    async def _started(self, starting: Awaitable[Program]) -> Program:
        program = await starting
        self._running.push_async_callback(program.stop)
        return program


async def _warmed(side: Side) -> float:
    """The memory of a server that has had clients, and has none, in kB."""
    await side.open(100)
    await side.block(BLOCK)
    await side.close()
    return await side.memory()


def _compared(
    name: str, turns: Sequence[tuple[Block, Block]], part: str, unit: str, aim: float | None = None
) -> Figure:
    """The median block of each, and the median of the ratios of neighbours."""
    pairs = [(getattr(bare, part), getattr(ours, part)) for bare, ours in turns]
    return Figure(
        name=name,
        baseline=median(bare for bare, _ in pairs),
        candidate=median(ours for _, ours in pairs),
        unit=unit,
        ratio=median(ours / bare for bare, ours in pairs),
        aim=aim,
    )
