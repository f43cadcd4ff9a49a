"""Socket.IO, with python-socketio's client and the JavaScript one, on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import socketio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from trunkline.live import LiveLimits

from ..conftest import Start, World, until
from ..fakes import ACCOUNT, OTHER, TOKEN

ASK = {"account_id": ACCOUNT, "auth_token": TOKEN}


class Client:
    def __init__(self) -> None:
        self.got: list[tuple[str, Any]] = []
        self.io = socketio.AsyncClient(reconnection=False)
        self.io.on("*", lambda name, data: self.got.append((name, data)))

    async def subscribe(self, binding: Any, **more: Any) -> Any:
        return await self.io.call("subscribe", {**ASK, "binding": binding, **more}, timeout=20)

    def names(self) -> list[str]:
        return [name for name, _ in self.got]

    def seqs(self) -> list[int]:
        return [data["Event-Seq"] for _, data in self.got]


@contextlib.asynccontextmanager
async def connected(world: World, transport: str = "websocket") -> AsyncIterator[Client]:
    client = Client()
    await client.io.connect(world.url, transports=[transport])
    try:
        yield client
    finally:
        await client.io.disconnect()


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    async with connected(world) as client:
        yield client


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_subscriber_gets_each_event_by_its_name(world: World, transport: str) -> None:
    async with connected(world, transport) as client:
        ack = await client.subscribe("call.CHANNEL_CREATE.*")
        twice = await client.subscribe("call.CHANNEL_CREATE.*")
        await client.subscribe("call.*.leg1")
        for name, subject in [("CHANNEL_ANSWER", "x"), ("CHANNEL_CREATE", "leg1")]:
            world.phones.say(name, subject)
        await until(lambda: client.got)

        assert ack == twice == {"status": "success", "subscribed": ["call.CHANNEL_CREATE.*"]}
        assert client.got == [
            (
                "CHANNEL_CREATE",
                {
                    "Event-Category": "call_event",
                    "Event-Name": "CHANNEL_CREATE",
                    "Call-ID": "leg1",
                    "Custom-Channel-Vars": {"Account-ID": ACCOUNT, "Username": "hồng"},
                    "Event-Seq": 2,
                },
            )
        ]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_long_replay_joins_the_live_stream(world: World, transport: str) -> None:
    for _ in range(1500):
        world.phones.say("CHANNEL_CREATE")
    async with connected(world, transport) as client:
        await client.subscribe("call.*.*", after=7)
        for _ in range(100):
            world.phones.say("CHANNEL_ANSWER")
            await asyncio.sleep(0)
        await until(lambda: len(client.got) >= 1593)

        assert client.seqs() == list(range(8, 1601))


@pytest.mark.parametrize(
    ("change", "event", "message"),
    [
        ({"auth_token": "f" * 32}, "auth_failure", "invalid auth token"),
        ({"auth_token": None}, "auth_failure", "invalid auth token"),
        ({"auth_token": {"a": 1}}, "auth_failure", "invalid auth token"),
        ({"auth_token": "\ud800" * 32}, "auth_failure", "invalid auth token"),
        ({"account_id": OTHER}, "error", "unauthorized account id"),
        ({"binding": None}, "error", "missing required keys : binding"),
        ({"binding": "call.NO.*"}, "error", "event NO not supported"),
        ({"after": "5"}, "error", "after is an Event-Seq: a whole number, 0 or more"),
    ],
)
async def test_errors_are_events_and_never_a_drop(
    world: World, client: Client, change: dict[str, Any], event: str, message: str
) -> None:
    await client.io.emit("subscribe", {**ASK, "binding": "call.*.*", **change})
    await until(lambda: client.got)
    ack = await client.subscribe(**{"binding": "call.*.*", **change})
    good = await client.subscribe("call.*.*")
    world.phones.say("CHANNEL_CREATE")
    await until(lambda: len(client.got) == 3)

    assert ack == {"status": "error", "message": message}
    assert client.got[:2] == [(event, {"message": message})] * 2
    assert good["status"] == "success"
    assert client.names()[2] == "CHANNEL_CREATE"


@pytest.mark.parametrize("args", [(), ("text",), ([1],), (7,), ({}, {})])
async def test_nonsense_is_an_auth_failure(client: Client, args: tuple[Any, ...]) -> None:
    await client.io.emit("subscribe", args)
    await until(lambda: client.got)

    assert client.got == [("auth_failure", {"message": "invalid auth token"})]


@pytest.mark.parametrize(
    "packet",
    ["42{", "49", '4299999["subscribe"', '42["subscribe",', "451-[]", "4x", '4["a"]', b"x"],
)
async def test_a_malformed_packet_is_an_error_event(world: World, packet: str | bytes) -> None:
    url = f"ws://127.0.0.1:{world.port}/socket.io/?EIO=4&transport=websocket"
    async with connect(url) as socket, asyncio.timeout(20):
        await socket.recv()
        await socket.send("40")
        await socket.recv()
        await socket.send(packet)
        answer = await socket.recv()
        await socket.send(f'421["subscribe",{json.dumps({**ASK, "binding": "#"})}]')

        assert str(answer).startswith('42["error",{"message":"invalid packet')
        assert await socket.recv() == '431[{"status":"success","subscribed":["#"]}]'


async def test_an_end_of_one_and_of_all(world: World, client: Client) -> None:
    for binding in ("call.CHANNEL_CREATE.*", "call.CHANNEL_ANSWER.*", "device.*.*"):
        await client.subscribe(binding)
    one = await client.io.call("unsubscribe", {**ASK, "binding": "call.CHANNEL_CREATE.*"})
    world.phones.say("CHANNEL_CREATE")
    rest = await client.io.call("unsubscribe", ASK)

    assert (one["unsubscribed"], one["subscribed"]) == (
        ["call.CHANNEL_CREATE.*"],
        ["call.CHANNEL_ANSWER.*", "device.*.*"],
    )
    assert (rest["unsubscribed"], rest["subscribed"]) == (
        ["call.CHANNEL_ANSWER.*", "device.*.*"],
        [],
    )
    assert client.got == []


async def test_an_expired_token_ends_no_subscription_but_makes_no_new_one(
    world: World, client: Client
) -> None:
    world.tokens.issue(TOKEN, ACCOUNT, expires=world.now[0] + 1)
    await client.subscribe("call.*.*")
    world.now[0] += 1
    late = await client.subscribe("device.*.*")
    world.phones.say("CHANNEL_CREATE")
    await until(lambda: len(client.got) == 2)

    assert late["status"] == "error"
    assert client.names() == ["auth_failure", "CHANNEL_CREATE"]


async def test_a_slow_reader_is_cut_off_and_told_where_to_resume(start: Start) -> None:
    world = await start(LiveLimits(buffered_bytes=50_000, behind_seconds=0.1))
    url = f"ws://127.0.0.1:{world.port}/socket.io/?EIO=4&transport=websocket"
    async with connect(url, max_queue=1, compression=None) as socket:
        await socket.recv()
        await socket.send("40")
        await socket.recv()
        await socket.send(f'421["subscribe",{json.dumps({**ASK, "binding": "#"})}]')
        await socket.recv()
        async with asyncio.timeout(60):
            while ACCOUNT in world.live._hub._accounts:
                for _ in range(40):
                    world.phones.say("CHANNEL_CREATE", "x" * 1000)
                await asyncio.sleep(0.001)
            frames = []
            with contextlib.suppress(ConnectionClosed):
                while True:
                    frames.append(str(await socket.recv()))
    events = [json.loads(frame[2:]) for frame in frames if frame.startswith("42")]
    seqs = [data["Event-Seq"] for name, data in events if name == "CHANNEL_CREATE"]
    message = f"too slow: resume after {seqs[-1]}"

    assert seqs == list(range(1, len(seqs) + 1))
    assert events[-1] == ["error", {"message": message, "resume_after": seqs[-1]}]
    assert (socket.close_code, socket.close_reason) == (4008, f"resume after {seqs[-1]}")
    await until(lambda: world.live.connections()["socket_io"] == 0)


async def test_a_poller_that_stays_away_is_cut_off_and_told(start: Start) -> None:
    world = await start(LiveLimits(buffered_bytes=5_000, behind_seconds=0.1))
    async with httpx.AsyncClient(base_url=world.url, timeout=20) as http:
        base = "/socket.io/?EIO=4&transport=polling"
        sid = json.loads((await http.get(base)).text[1:])["sid"]
        url = f"{base}&sid={sid}"
        await http.post(url, content="40")
        await http.get(url)
        await http.post(url, content=f'42["subscribe",{json.dumps({**ASK, "binding": "#"})}]')
        while ACCOUNT in world.live._hub._accounts:
            world.phones.say("CHANNEL_CREATE", "x" * 500)
        packets: list[str] = []
        while "1" not in packets:
            packets += (await http.get(url)).text.split("\x1e")
        late = await http.get(url)
    *events, error = [json.loads(packet[2:]) for packet in packets[:-1]]
    last = len(events)

    assert [data["Event-Seq"] for _, data in events] == list(range(1, last + 1))
    assert error == ["error", {"message": f"too slow: resume after {last}", "resume_after": last}]
    assert late.json() == {"code": 1, "message": "Session ID unknown"}
    assert not len(world.live._socket_io)


async def test_leaving_leaves_nothing_behind(world: World) -> None:
    async with connected(world) as client:
        await client.subscribe("call.*.*")
    await until(lambda: not len(world.live._socket_io))

    assert not world.live._hub._accounts
    assert not len(world.live._socket_io._context.wheel)


async def test_shutdown_lets_everybody_go(world: World) -> None:
    async with connected(world) as socket, connected(world, "polling") as poller:
        for client in (socket, poller):
            await client.subscribe("call.*.*")
        world.phones.say("CHANNEL_CREATE")
        await world.live.close()
        await until(lambda: not socket.io.connected and not poller.io.connected)
        async with httpx.AsyncClient() as http:
            late = await http.get(f"{world.url}/socket.io/?EIO=4&transport=polling")

        assert socket.names() == poller.names() == ["CHANNEL_CREATE", "error"]
        assert socket.got[1][1]["resume_after"] == 1
        assert late.status_code == 503


async def test_cross_origin_requests(start: Start) -> None:
    world = await start(origins=("https://crm.example",))
    url = f"{world.url}/socket.io/?EIO=4&transport=polling"
    async with httpx.AsyncClient() as http:
        good = await http.get(url, headers={"Origin": "https://crm.example"})
        same = await http.get(url, headers={"Origin": world.url})
        bad = await http.get(url, headers={"Origin": "https://evil.example"})

    assert good.headers["access-control-allow-origin"] == "https://crm.example"
    assert (good.status_code, same.status_code, bad.status_code) == (200, 200, 403)
    assert "access-control-allow-origin" not in bad.headers


class JavaScript:
    """listen.mjs as a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def next(self) -> dict[str, Any]:
        assert self.process.stdout
        async with asyncio.timeout(30):
            line = await self.process.stdout.readline()
        said = json.loads(line)
        assert isinstance(said, dict)
        return said


@contextlib.asynccontextmanager
async def listening(listen_js: list[str], world: World, *args: str) -> AsyncIterator[JavaScript]:
    process = await asyncio.create_subprocess_exec(
        *listen_js,
        world.url,
        ACCOUNT,
        TOKEN,
        *args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    try:
        yield JavaScript(process)
    finally:
        assert process.stdin
        process.stdin.close()
        await process.wait()


@pytest.mark.parametrize(
    "transport", [(), ("--transport", "websocket"), ("--transport", "polling")]
)
async def test_the_javascript_client(
    listen_js: list[str], world: World, transport: tuple[str, ...]
) -> None:
    async with listening(listen_js, world, "call.*.*", "device.*.*", *transport) as js:
        ready = await js.next()
        for n in range(300):
            world.phones.say("CHANNEL_CREATE", f"leg{n}")
            await asyncio.sleep(0)
        world.phones.say("DEVICE_ONLINE", "phone1", category="device")
        events = [await js.next() for _ in range(301)]

    assert [ack["subscribed"] for ack in ready["data"]] == [["call.*.*"], ["device.*.*"]]
    assert [event["data"]["Event-Seq"] for event in events] == list(range(1, 302))
    assert events[300]["event"] == "DEVICE_ONLINE"


async def test_the_javascript_client_comes_back_by_itself_and_misses_nothing(
    listen_js: list[str], world: World
) -> None:
    async with listening(listen_js, world, "call.*.*", "--after", "0") as js:
        world.phones.say("CHANNEL_CREATE")
        first = [await js.next() for _ in range(2)]
        (session,) = world.live._socket_io._context.sessions.values()
        session.cut("test", 4008)
        world.phones.say("CHANNEL_ANSWER")
        second = [await js.next() for _ in range(4)]

    assert [said["event"] for said in first] == ["@subscribed", "CHANNEL_CREATE"]
    assert [said["event"] for said in second] == [
        "error",
        "@disconnect",
        "@subscribed",
        "CHANNEL_ANSWER",
    ]


async def test_the_javascript_client_is_told_of_a_bad_token(
    listen_js: list[str], world: World
) -> None:
    world.tokens.issue(TOKEN, ACCOUNT, expires=0)
    async with listening(listen_js, world, "call.*.*") as js:
        said = sorted([(await js.next())["event"], (await js.next())["event"]])

    assert said == ["@subscribed", "auth_failure"]
