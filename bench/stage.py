"""The server under measurement, its account, and those who stand in for phones and carriers.

It is the whole tests' own server: ``trunkline up`` in a process of its own, with the settings that
it has by default but for the limits on how much one application may ask.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from tests.whole.ports import Ports
from tests.whole.server import Server
from tests.whole.sip import Caller
from tests.whole.stage import Device, Stage, Tenant
from tests.whole.waiting import until

from .stand_in import StandIn

SETTINGS: dict[str, Any] = {
    "call_rate": "1000000/second",
    "request_rate": "1000000/second",
    "auth_failures": "1000000/second",
    "drain_seconds": 2,
    "log_format": "json",
}


_BLOCKS = 4
"""So many blocks of ports are looked at in vain."""


class Ari(msgspec.Struct, frozen=True):
    """ARI's port on 127.0.0.1, and its password."""

    port: int
    password: str

    @property
    def authorization(self) -> str:
        """The value of the HTTP header."""
        return "Basic " + base64.b64encode(f"trunkline:{self.password}".encode()).decode()


class Bench(Stage):
    """A stage with stand-ins."""

    _address = 90
    bare: Any = None

    def address(self) -> str:
        """A loopback address that nobody else here has: trunks are told apart by theirs."""
        Bench._address += 1
        return f"127.0.{self.ports.one() % 250 + 1}.{Bench._address % 250}"

    def stand_in(self, address: str = "", **options: Any) -> StandIn:
        """A stand-in that runs; it is ended with the stage."""
        made = StandIn(address or self.address(), self.ports.one(), **options)
        made.start()
        self._ends.callback(made.stop)
        return made

    async def registered(self, device: Device, **options: Any) -> StandIn:
        """A stand-in for a device, registered with its password for an hour."""
        address, port = self.address(), self.ports.one()
        caller = Caller(
            address=address,
            port=port,
            server=self.server.sip,
            user=device.sip_user,
            password=device.password,
        )
        answer = await caller.register(expires=3600)
        assert answer.code == 200, answer
        await asyncio.sleep(0.01)  # the loop closes the registering socket in its next round
        made = StandIn(address, port, **options)
        made.start()
        self._ends.callback(made.stop)
        await self._online(device.sip_user)
        return made

    @property
    def ari(self) -> Ari:
        """How to reach the engine itself."""
        return msgspec.json.decode(
            (self.server.data / "engine" / "ari.json").read_bytes(), type=Ari
        )

    async def _online(self, sip_user: str) -> None:
        """The engine counts a phone as there once it has answered OPTIONS."""
        ari = self.ari
        url = f"http://127.0.0.1:{ari.port}/ari/endpoints/PJSIP/{sip_user}"
        async with httpx.AsyncClient(auth=("trunkline", ari.password)) as client:

            async def online() -> bool:
                return bool((await client.get(url)).json().get("state") == "online")

            await until(online, f"{sip_user} online")


def ports_with(size: int) -> tuple[Ports, tuple[int, int]]:
    """A block of ports with so many neighbours that nobody uses; another one where somebody does."""
    passed: list[Ports] = []
    try:
        while True:
            ports = Ports()
            try:
                return ports, ports.range(size)
            except RuntimeError:
                if len(passed) == _BLOCKS:
                    raise
                passed.append(ports)
    finally:
        for ports in passed:
            ports.close()


@asynccontextmanager
async def on_stage(
    data: Path | None = None, *, rtp: int = 800, **settings: Any
) -> AsyncIterator[Bench]:
    """A running server with so many ports for audio, in a directory that is deleted afterwards (or in ``data``)."""
    folder = Path(tempfile.mkdtemp(prefix="trunkline-bench-"))
    ports, audio = ports_with(rtp)
    server = Server(data or folder / "data", ports.one(), ports.one(), audio, SETTINGS | settings)
    bench = Bench(server, ports, folder)
    try:
        await server.start()
        yield bench
    finally:
        await bench.close()
        await server.stop()
        ports.close()
        shutil.rmtree(folder, ignore_errors=True)


async def tenant_with_device(bench: Bench, *account: str) -> tuple[Tenant, Device]:
    """An account, a user on extension 101, and one device of theirs."""
    tenant = await bench.tenant(*account)
    device = await tenant.user("agent", "--extension", "101")
    no_limits = ("--max-calls", "none", "--max-rate", "none")
    await bench.server.cli("device", "set", device.sip_user, *no_limits)
    await bench.server.cli("account", "set", tenant.name, *no_limits)
    return tenant, device
