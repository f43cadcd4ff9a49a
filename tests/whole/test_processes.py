"""One database, several processes: every subscriber has each event once, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import pytest_asyncio

from cluster import Cluster

from .api import Api
from .listener import Listener, RawWebSocket, SocketIo
from .ports import Ports
from .program import Program
from .readers import Receiver, Stream
from .server import TRUNKLINE, Server
from .stage import together
from .waiting import Timeline, until

TALKS_3_SECONDS = "5550107"
EVERYTHING = ("#",)
END = "RECORDING_READY"


class ApiProcess:
    """``trunkline api`` beside a server."""

    def __init__(self, server: Server, http: int, name: str) -> None:
        self.url, self._http = f"http://127.0.0.1:{http}", http
        self._server, self._name = server, name
        self.program: Program | None = None

    async def start(self) -> ApiProcess:
        """Start it and wait until it serves."""
        command = [TRUNKLINE, "api", "--data", str(self._server.data)]
        command += ["--http", f"127.0.0.1:{self._http}"]
        log = self._server.data.parent / f"{self._name}.log"
        self.program = program = Program(f"server {self._name}", command, log)

        async def serves() -> bool:
            assert program.status is None, program.tail()
            with suppress(httpx.HTTPError):
                async with httpx.AsyncClient() as client:
                    return (await client.get(f"{self.url}/healthz")).status_code == 200
            return False

        await until(serves, f"/healthz of {self._name}", 60)
        return self

    async def kill9(self) -> None:
        """SIGKILL."""
        assert self.program
        self.program.send_all(signal.SIGKILL)
        await self.program.ended()

    async def stop(self) -> int:
        """SIGTERM; gives the exit status."""
        return await self.program.stop() if self.program else 0


class Polls:
    """GET /v1/events, again and again, waiting for what comes."""

    def __init__(self, url: str, key: str, after: int) -> None:
        self._url, self._after = url, after
        self._headers = {"Authorization": f"Bearer {key}"}
        self.events: Timeline[int] = Timeline("the long polls")
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async with httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=20) as http:
            while True:
                answer = await http.get(f"/v1/events?after={self._after}&wait=10")
                if answer.status_code == 503:  # the database is away
                    await asyncio.sleep(0.2)
                    continue
                assert answer.status_code == 200, answer.text
                self._after = answer.json()["next_after"]
                for event in answer.json()["events"]:
                    await self.events.add(event["seq"])

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)


class Reader:
    """Somebody who reads all events by one way, comes back elsewhere, and counts what he has."""

    def __init__(self, scene: Scene, kind: Any, url: str) -> None:
        self._scene, self._kind = scene, kind
        self.had: list[int] = []
        self.name = f"{kind.__name__} at {url}"
        self.url = url

    async def open(self) -> Reader:
        """Read what follows the last number that there was."""
        after = self.had[-1] if self.had else 0
        if issubclass(self._kind, Listener):
            self._way = self._kind(self.url, self._scene.shown["accountId"], self._scene.token)
            await self._way.open(EVERYTHING, after)
        else:
            self._way = self._kind(self.url, self._scene.key, after)
        return self

    @property
    def numbers(self) -> list[int]:
        """All that it has had, in the order in which it came."""
        return self.had + [_number(event) for event in self._way.events.all]

    async def move(self, url: str) -> None:
        """Its process is gone: go on at another one."""
        with suppress(Exception):
            await self._way.close()
        self.had, self.url = self.numbers, url
        await self.open()

    async def reached(self, seq: int) -> None:
        await self._way.events.wait(lambda event: _number(event) >= seq, f"{self.name}: {seq}", 40)

    async def close(self) -> None:
        with suppress(Exception):
            await self._way.close()


def _number(event: Any) -> int:
    if isinstance(event, int):
        return event
    return int(event["seq"]) if isinstance(event, dict) else event.seq


class Scene:
    """The main server, two API processes, and twelve readers."""

    server: Server
    first: ApiProcess
    second: ApiProcess
    shown: dict[str, Any]
    key: str
    token: str
    readers: list[Reader]
    intruder: str

    def __init__(self) -> None:
        self.readers = []
        self._apis: dict[str, Api] = {}

    def at(self, process: ApiProcess | Server) -> Api:
        """The Open API of one of the processes."""
        shown = self.shown
        who = (shown["accountId"], shown["appId"], shown["appSecret"])
        if process.url not in self._apis:
            self._apis[process.url] = Api(process.url, *who)
        return self._apis[process.url]

    async def close(self) -> None:
        """End all of it."""
        await together(*(each.close() for each in self.readers))
        await together(*(each.http.aclose() for each in self._apis.values()))
        await together(self.first.stop(), self.second.stop())
        await self.server.stop()

    async def v1(self, process: ApiProcess | Server, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.key}", **more.pop("headers", {})}
        async with httpx.AsyncClient(base_url=process.url, timeout=20) as http:
            answer = await http.request(method, path, headers=headers, **more)
        assert answer.is_success, answer.text
        return answer.json()

    async def call(self, process: ApiProcess, key: str = "") -> str:
        """Place one; gives its id."""
        phone, password = next(iter(self.shown["phones"].items()))
        placed = await self.at(process).click_to_call(TALKS_3_SECONDS, phone, password, key)
        assert placed.status_code == 200, placed.text
        return str(placed.json()["call_id"])

    async def talks(self, call_id: str) -> None:
        """The call's two ends have been joined."""

        async def joined() -> bool:
            call = await self.v1(self.second, "GET", f"/v1/calls/{call_id}")
            return call["status"] in ("talking", "ended")

        await until(joined, f"talk in {call_id}", 20)

    async def over(self, call_id: str) -> int:
        """The number of the call's last event."""

        async def ended() -> int | None:
            path = f"/v1/events?call_id={call_id}&types=call.{END}.*"
            with suppress(AssertionError, httpx.HTTPError):  # the database may be away
                events = (await self.v1(self.second, "GET", path))["events"]
                return events[0]["seq"] if events else None
            return None

        return int(await until(ended, f"{END} of {call_id}", 60, every=0.2))


async def _second_main(server: Server, ports: Ports, settings: dict[str, Any]) -> str:
    """``trunkline up`` on the same database from another data directory; gives what it says."""
    folder = server.data.parent / "intruder"
    other = Server(folder, ports.one(), ports.one(), ports.range(20), settings)
    shutil.copy(server.data / "secret.key", folder / "secret.key")
    program = other.launch()
    assert await program.ended(60) == 1
    return program.tail()


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(
    own_cluster: Cluster, ports: Ports, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    folder, scene = tmp_path_factory.mktemp("processes"), Scene()
    settings = {
        "database": own_cluster.url(own_cluster.create()),
        "sandbox": True,
        "drain_seconds": 1,
        "webhook_allow": "127.0.0.0/8",
        "log_format": "console",
    }
    scene.server = Server(folder / "data", ports.one(), ports.one(), ports.range(100), settings)
    scene.first, scene.second = (
        ApiProcess(scene.server, ports.one(), name) for name in ("first", "second")
    )
    try:
        await scene.server.start()
        await _begin(scene, ports, settings)
        yield scene
    finally:
        await scene.close()


async def _begin(scene: Scene, ports: Ports, settings: dict[str, Any]) -> None:
    server = scene.server
    scene.shown = await server.cli("sandbox", "show")
    scopes = "events:read,calls:read,webhooks:write"
    made = await server.cli("key", "create", "crm", "--account", "sandbox", "--scopes", scopes)
    scene.key = made["key"]
    _, _, scene.intruder = await together(
        scene.first.start(),
        scene.second.start(),
        _second_main(server, ports, {"database": settings["database"]}),
    )
    scene.token = (await scene.at(scene.first).auth_token()).json()["value"]
    scene.readers = await together(
        *(
            Reader(scene, kind, process.url).open()
            for process in (scene.first, scene.second, server)
            for kind in (SocketIo, RawWebSocket, Stream, Polls)
        )
    )


async def test_every_reader_at_every_process_has_each_event_once(
    scene: Scene, own_cluster: Cluster
) -> None:
    receiver = Receiver()
    hook = {"url": await receiver.open(), "after": 0}
    await scene.v1(scene.second, "POST", "/v1/webhooks", json=hook)

    ended = await scene.over(await scene.call(scene.first))
    await together(*(reader.reached(ended) for reader in scene.readers))

    # A process dies, and PostgreSQL amid the next call, which a request sent twice asks for once.
    await scene.first.kill9()
    call_id = await scene.call(scene.second, "order-7")
    moved = [reader for reader in scene.readers if reader.url == scene.first.url]
    await together(*(reader.move(scene.second.url) for reader in moved))
    newest = (await scene.v1(scene.second, "GET", f"/v1/events?after={2**53 - 1}"))["newest"]
    await together(*(reader.reached(newest) for reader in moved))  # a replay would be broken off
    await scene.talks(call_id)  # until then the dialplan has yet to ask the database
    await asyncio.to_thread(own_cluster.restart)
    ended = await scene.over(call_id)
    assert await scene.call(scene.second, "order-7") == call_id
    await together(*(reader.reached(ended) for reader in scene.readers))

    told = list(range(1, ended + 1))
    for reader in scene.readers:
        assert [n for n in reader.numbers if n <= ended] == told, reader.name
    await receiver.posts.wait(lambda _: len(receiver.events) >= ended, "all of it")
    posted = [event["seq"] for event in receiver.events if event["seq"] <= ended]
    assert posted == told
    await receiver.close()


def test_a_second_main_server_is_refused(scene: Scene) -> None:
    assert "error: a main server at 127.0.0.1 has this database" in scene.intruder


async def test_without_the_main_server_all_but_calls_is_served(scene: Scene) -> None:
    await scene.server.stop()
    phone, password = next(iter(scene.shown["phones"].items()))
    refused = await scene.at(scene.second).click_to_call(TALKS_3_SECONDS, phone, password)
    assert (refused.status_code, refused.json()["message"]) == (503, "ENGINE_UNAVAILABLE")
    assert refused.headers["retry-after"]
    assert len(await scene.at(scene.second).history()) == 2
    async with httpx.AsyncClient(base_url=scene.second.url) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 200
    checks = answer.json()["checks"]
    assert {name for name, said in checks.items() if said != "ok"} == {"main"}


async def test_a_process_that_is_stopped_says_so_to_its_sockets(scene: Scene) -> None:
    socket = RawWebSocket(scene.second.url, scene.shown["accountId"], scene.token)
    await socket.open(EVERYTHING, None)
    poll = asyncio.create_task(
        scene.v1(scene.second, "GET", f"/v1/events?after={2**53 - 1}&wait=30")
    )
    await asyncio.sleep(0.3)
    assert await scene.second.stop() == 0
    await asyncio.wait_for(socket.socket.wait_closed(), 5)
    assert socket.socket.close_code == 1012
    assert (await poll)["events"] == []
    await socket.close()
