"""Where it happens: two processes, an engine whose clock can be set, a small disk, PostgreSQL behind a cable."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from cluster import Cluster
from whole.conftest import SHORT
from whole.ports import Ports, loopback
from whole.program import Program
from whole.readers import Receiver
from whole.server import TRUNKLINE, Server
from whole.set_clock import SetClock
from whole.small_disk import SmallDisk, small_disk
from whole.stage import Stage, Tenant
from whole.waiting import until

from .traffic import DID, Quiet, Traffic

REGISTERED = 7000
"""Seconds for which the desk registers."""


class Cable:
    """TCP from a port of ours to another, which can be cut."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._writers: set[asyncio.StreamWriter] = set()
        self._cut = False
        self.port = 0

    async def open(self) -> Cable:
        """Listen."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    def cut(self) -> None:
        """Whoever is connected is no longer, and nobody connects."""
        self._cut = True
        for writer in [*self._writers]:
            writer.transport.abort()

    def mend(self) -> None:
        """As before."""
        self._cut = False

    def close(self) -> None:
        self.cut()
        self._server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))
        self._writers -= {writer, far_writer}


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


class Place:
    """All of it."""

    server: Server
    cable: Cable
    cluster: Cluster
    disk: SmallDisk | None
    clock: SetClock | None
    traffic: Traffic
    tenant: Tenant
    receiver: Receiver
    stage: Stage
    headers: dict[str, str]
    """A key's."""

    def __init__(self, api_port: int) -> None:
        self._api_port, self._api = api_port, None if api_port == 0 else api_port
        self._api_program: Program | None = None
        self._limits: tuple[int, int] | None = None

    # ---- What was told ----------------------------------------------------------------------------

    async def newest(self) -> int:
        """The number of the newest event."""
        answer = await self.tenant.api.http.get(
            f"/v1/events?after={2**53 - 1}", headers=self.headers
        )
        return int(answer.json()["newest"])

    async def records(self) -> list[dict[str, Any]]:
        """The whole history: calls may have begun by a clock that was two hours off."""
        found: list[dict[str, Any]] = []
        begin, end = (
            (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            for hours in (-6, 6)
        )
        while True:
            page = str(len(found) // 100 + 1)
            answer = await self.tenant.api.histories(begin, end, "100", page)
            assert answer.status_code == 200, answer.text
            found += answer.json()
            if len(found) >= int(answer.headers["X-Total-Count"]) or not answer.json():
                return found

    # ---- What faults need -------------------------------------------------------------------------

    async def well(self) -> bool:
        """Can calls be made, and is everything stored?"""
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                told = await client.get(f"{self.server.url}/readyz")
        except httpx.HTTPError:
            return False
        return told.status_code == 200 and await self.server.healthy()

    def kill_main(self) -> None:
        assert self.server.program
        self.server.program.send_all(signal.SIGKILL)

    async def start_main(self) -> None:
        await self.server.start()

    async def kill_engine(self) -> None:
        """And its phones drop what they had."""
        self.server.kill9_engine()
        await self.traffic.forget()

    def start_api(self) -> None:
        if self._api_port:
            command = [TRUNKLINE, "api", "--data", str(self.server.data)]
            command += ["--http", f"127.0.0.1:{self._api_port}"]
            log = self.server.data.parent / "api.log"
            self._api_program = Program("api", command, log)

    async def kill_api(self) -> None:
        if self._api_program:
            self._api_program.send_all(signal.SIGKILL)
            await self._api_program.ended()

    async def api_is_well(self) -> bool:
        if not self._api_port:
            return True
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                url = f"http://127.0.0.1:{self._api_port}/readyz"
                return (await client.get(url)).status_code == 200
        except httpx.HTTPError:
            return False

    def few_files(self) -> None:
        """The main process may open hardly one file more."""
        assert self.server.program
        pid = self.server.program.pid
        open_now = len([*Path(f"/proc/{pid}/fd").iterdir()])
        self._limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_now + 2, self._limits[1]))

    def many_files(self) -> None:
        assert self.server.program
        if self._limits:
            resource.prlimit(self.server.program.pid, resource.RLIMIT_NOFILE, self._limits)

    async def close(self) -> None:
        await self.kill_api()


@contextlib.asynccontextmanager
async def place(seed: int, rate: float, *, on_disk: bool = True) -> AsyncIterator[Place]:
    """Everything runs; there are no calls yet."""
    async with contextlib.AsyncExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="tl-torture-")))
        ports = Ports()
        ends.callback(ports.close)
        made = Place(ports.one())
        made.cluster = Cluster()
        ends.callback(made.cluster.close)
        made.cable = await Cable(made.cluster.port).open()
        ends.callback(made.cable.close)
        made.clock = SetClock(folder)
        made.disk = ends.enter_context(small_disk(folder / "data", 256)) if on_disk else None
        url = made.cluster.url(made.cluster.create())
        settings: dict[str, Any] = SHORT | {
            "database": url.replace(f":{made.cluster.port}/", f":{made.cable.port}/"),
            "engine_prefix": str(made.clock.engine(folder / "engine")),
            "call_rate": "1000/second",
            "webhook_retry_seconds": "1,2,3,5,5,5,5,5,5,5,5,5",
        }
        server = made.server = Server(
            folder / "data", ports.one(), ports.one(), ports.range(600), settings
        )
        ends.push_async_callback(server.stop)
        stage = made.stage = Stage(server, ports, folder)
        await server.start()
        ends.push_async_callback(stage.close)
        made.start_api()
        ends.push_async_callback(made.close)
        await _people(made, ports, seed, rate)
        await until(made.api_is_well, "the api process", 60)
        yield made


async def _people(made: Place, ports: Ports, seed: int, rate: float) -> None:
    tenant = made.tenant = await made.stage.tenant("--no-record")
    address, port = loopback(), ports.one()
    device = await tenant.user("desk")
    unlimited = ("--max-calls", "none", "--max-rate", "none")  # calls pile up while a fault lasts
    await made.server.cli("account", "set", tenant.name, *unlimited)
    await made.server.cli("device", "set", device.sip_user, *unlimited)
    await tenant.trunk(f"{address}:{port}", "--match", address, *unlimited)
    await tenant.number(DID, "desk")
    whose = ("--account", tenant.name)
    key = await made.server.cli(
        "key", "create", "all", *whose, "--scopes", "events:read,webhooks:write"
    )
    made.headers = {"Authorization": f"Bearer {key['key']}"}
    made.receiver = Receiver()
    hook = {"url": await made.receiver.open(), "after": 0}
    answer = await tenant.api.http.post("/v1/webhooks", json=hook, headers=made.headers)
    assert answer.is_success, answer.text
    carrier = await Quiet.open(made.server.sip, address, port, "carrier")
    desk = await Quiet.open(
        made.server.sip, loopback(), ports.one(), device.sip_user, device.password
    )
    await desk.register(REGISTERED)
    made.traffic = Traffic(tenant, desk, device, carrier, seed, rate)
