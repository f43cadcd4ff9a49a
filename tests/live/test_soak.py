"""Endurance, in small (``bench/soak.py`` is the large one): frozen readers, and ones that come and go."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from trunkline.bus.local import LocalBus
from trunkline.events.stored import Announcement
from trunkline.live import Live, LiveDeps, LiveLimits, build_live
from trunkline.server.listening import web_server
from trunkline.server.settings import Settings
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.secrets import InstallationKey
from trunkline.store.sqlite import SqliteDatabase, open_database
from trunkline.work.manage.accounts import create_account
from trunkline.work.manage.apps import create_app

from .conftest import api, until
from .fakes import FakeKeys

KEY = InstallationKey(b"k" * 32)
ACCOUNTS, CLIENTS, EVENTS, BURST = 10, 200, 300, 5
NOW = 1_700_000_000_000_000
FOR_EVER = 2**60
SMALL = 16_384
"""Bytes of the kernel's buffers: what a frozen client does not take is the server's to hold."""
LIMITS = LiveLimits(buffered_bytes=65_536, behind_seconds=0.2)


@dataclass(frozen=True)
class Tenant:
    """An account, its app, and a token of that."""

    account_id: str
    app_id: str
    token: str

    def ask(self, after: int) -> dict[str, Any]:
        """The data of a subscribe."""
        return {"account_id": self.account_id, "binding": "call.#", "after": after}


@dataclass(eq=False)
class Client:
    """A client that comes back, with ``after``, whenever its connection ends."""

    port: int
    tenant: Tenant
    got: list[int] = field(default_factory=list)
    told: list[tuple[int, int]] = field(default_factory=list)
    """(the number that it was told to resume after, the last that it had) at each cut."""
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    connection: ClientConnection | None = None
    path = ""

    async def run(self) -> None:
        """Until cancelled."""
        self.reading.set()
        while True:
            try:
                async with self._connected() as self.connection:
                    await self.hello(self.connection)
                    while True:
                        await self.reading.wait()
                        await self.take(self.connection, str(await self.connection.recv()))
            except ConnectionClosed as ended:
                self.ended(ended)

    def drop(self) -> None:
        """Go away without a word."""
        if self.connection:
            self.connection.transport.abort()

    @property
    def last(self) -> int:
        """The newest number that it has."""
        return self.got[-1] if self.got else 0

    def _connected(self) -> connect:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        made.connect(("127.0.0.1", self.port))
        url = f"ws://127.0.0.1:{self.port}{self.path}"
        return connect(url, sock=made, max_queue=2, compression=None, ping_interval=None)

    async def hello(self, connection: ClientConnection) -> None:
        """Subscribe, after all that it has."""
        raise NotImplementedError

    async def take(self, connection: ClientConnection, text: str) -> None:
        """Read a frame."""
        raise NotImplementedError

    def ended(self, ended: ConnectionClosed) -> None:
        """The connection is over."""


class Raw(Client):
    """Kazoo 4's frames."""

    path = "/oapi/v1/voice/events"

    async def hello(self, connection: ClientConnection) -> None:
        frame = {"action": "subscribe", "auth_token": self.tenant.token}
        await connection.send(json.dumps(frame | {"data": self.tenant.ask(self.last)}))

    async def take(self, connection: ClientConnection, text: str) -> None:
        frame = json.loads(text)
        if frame["action"] == "event":
            self.got.append(frame["data"]["event_seq"])
        else:
            assert frame["status"] == "success", frame

    def ended(self, ended: ConnectionClosed) -> None:
        if ended.rcvd and ended.rcvd.code == 4008:
            self.told.append((int(ended.rcvd.reason.removeprefix("resume after ")), self.last))


class SocketIo(Client):
    """Socket.IO 4 by WebSocket."""

    path = "/socket.io/?EIO=4&transport=websocket"

    async def hello(self, connection: ClientConnection) -> None:
        await connection.recv()
        await connection.send("40")
        await connection.recv()
        asked = {"auth_token": self.tenant.token, **self.tenant.ask(self.last)}
        await connection.send("42" + json.dumps(["subscribe", asked]))

    async def take(self, connection: ClientConnection, text: str) -> None:
        if text == "2":
            await connection.send("3")
        if not text.startswith("42"):
            return
        name, data = json.loads(text[2:])
        if name == "error":
            self.told.append((data["resume_after"], self.last))
        else:
            self.got.append(data["Event-Seq"])


class Soak:
    """A server on a real database, its tenants, and its clients."""

    def __init__(self, database: SqliteDatabase, tenants: Sequence[Tenant]) -> None:
        self.bus, self._database, self.tenants = LocalBus(), database, tenants
        keys = FakeKeys()
        deps = LiveDeps(
            database.events,
            database.tokens,
            self.bus,
            lambda: NOW,
            keys.admit,
            keys.refuse,
            keys.read,
            keys.told,
            keys.still_good,
            limits=LIMITS,
        )
        self.live: Live = build_live(deps, api)
        self.server = web_server(Settings(), self.live)
        self.clients: list[Client] = []

    async def burst(self) -> None:
        """Some events of each account: stored, then published."""
        said = [
            Announcement(tenant.account_id, "call", "CHANNEL_ANSWER", "leg", NOW, BODY)
            for tenant in self.tenants
            for _ in range(BURST)
        ]
        self.bus.publish(await self._database.events.append(said))

    def connected(self) -> int:
        return sum(self.live.connections().values())

    def behind(self) -> list[Client]:
        """Those that do not have everything yet."""
        return [client for client in self.clients if len(client.got) < EVENTS]


BODY = {"Event-Name": "CHANNEL_ANSWER", "Call-ID": "leg", "Said": "x" * 1000}


@pytest.fixture
async def soak(tmp_path: Path) -> AsyncIterator[Soak]:
    database = open_database(tmp_path / "trunkline.db", KEY)
    made = Soak(database, await _tenants(tmp_path / "trunkline.db", database))
    listener = socket.create_server(("127.0.0.1", 0), backlog=CLIENTS)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)  # its connections inherit it
    serving = asyncio.create_task(made.server._serve(sockets=[listener]))
    await until(lambda: made.server.started)
    port = listener.getsockname()[1]
    for number in range(CLIENTS):
        kind = (Raw, SocketIo)[number % 2]
        made.clients.append(kind(port, made.tenants[number // 2 % ACCOUNTS]))
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(client.run()) for client in made.clients]
        yield made
        for task in running:
            task.cancel()
    await until(lambda: made.connected() == 0)
    await made.live.close()
    made.server.should_exit = True
    await serving
    await database.close()


async def _tenants(file: Path, database: SqliteDatabase) -> list[Tenant]:
    made = []
    with ManagedDirectory(file, KEY).transaction() as directory:
        for number in range(ACCOUNTS):
            account = create_account(directory, f"account-{number}")
            app, _ = create_app(directory, account)
            made.append(Tenant(account.account_id, app.app_id, f"{number:032x}"))
    for tenant in made:
        digest = hashlib.sha256(tenant.token.encode()).hexdigest()
        await database.tokens.add(digest, tenant.app_id, tenant.account_id, FOR_EVER)
    return made


async def test_everybody_has_every_number_once(soak: Soak) -> None:
    """Also those that were frozen and cut off, and those that dropped and came back."""
    await until(lambda: soak.connected() == CLIENTS)
    chance, frozen = random.Random(1), soak.clients[::20] + soak.clients[1::20]
    for client in frozen:
        client.reading.clear()
    for _ in range(EVENTS // BURST):
        await soak.burst()
        for client in chance.sample(soak.clients, 3):
            if client not in frozen:
                client.drop()
        await asyncio.sleep(0.02)

    await until(lambda: not set(soak.behind()) - set(frozen), 60)
    for client in frozen:
        client.reading.set()
    await until(lambda: not soak.behind(), 60)

    cut = [client for client in frozen if client.told]
    assert [resume - last for client in cut for resume, last in client.told] == [0] * len(cut)
    assert len(cut) == len(frozen)
    assert {tuple(client.got) for client in soak.clients} == {tuple(range(1, EVENTS + 1))}
