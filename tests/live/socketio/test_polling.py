"""Long polling, upgrades and refusals, packet by packet: Engine.IO 3 and 4, and 0.9."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from trunkline.live import LiveLimits
from trunkline.live.socketio import engine_io
from trunkline.live.socketio import packets_09 as socket_io_09
from trunkline.live.socketio.sessions import Session
from trunkline.live.socketio.timers import HeartbeatTimes

from ..conftest import Start, World, until
from ..fakes import ACCOUNT, TOKEN

ASK = {"account_id": ACCOUNT, "auth_token": TOKEN, "binding": "#"}
SUBSCRIBE = f'42["subscribe",{json.dumps(ASK)}]'
SUBSCRIBE_09 = f"5:::{json.dumps({'name': 'subscribe', 'args': [ASK]})}"
VERSIONS = pytest.mark.parametrize("version", [3, 4])


class Poller:
    """Long polling by hand."""

    def __init__(self, http: httpx.AsyncClient, version: int) -> None:
        self.http, self.version = http, version
        self.sid = ""

    @property
    def params(self) -> dict[str, str]:
        sid = {"sid": self.sid} if self.sid else {}
        return {"EIO": str(self.version), "transport": "polling", **sid}

    async def open(self) -> dict[str, Any]:
        first, *rest = await self.get()
        hello: dict[str, Any] = json.loads(first[1:])
        self.sid = hello["sid"]
        if self.version == 4:
            await self.post("40")
            rest = await self.get()
        assert [packet[:2] for packet in rest] == ["40"]
        return hello

    async def get(self) -> list[str]:
        answer = await self.http.get("/socket.io/", params=self.params)
        assert answer.status_code == 200, answer.text
        return engine_io.packets(self.version, answer.text)

    async def post(self, *packets: str) -> httpx.Response:
        body = engine_io.payload(self.version, packets)
        return await self.http.post("/socket.io/", params=self.params, content=body.encode())

    async def seqs(self) -> list[int]:
        return [json.loads(packet[2:])[1]["Event-Seq"] for packet in await self.get()]

    def upgrade(self) -> connect:
        query = f"EIO={self.version}&transport=websocket&sid={self.sid}"
        return connect(f"ws://{self.http.base_url.netloc.decode()}/socket.io/?{query}")


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=world.url, timeout=20) as http:
        yield http


def pace(world: World, **seconds: float) -> None:
    """Other heartbeats, for sessions from now on."""
    door = world.live._socket_io
    door._context = replace(door._context, times=replace(HeartbeatTimes(), **seconds))


def only(world: World) -> Session:
    (session,) = world.live._socket_io._context.sessions.values()
    return session


async def step(socket: ClientConnection, said: str, answer: str) -> None:
    await socket.send(said)
    assert await socket.recv() == answer


@VERSIONS
async def test_the_handshake(http: httpx.AsyncClient, version: int) -> None:
    hello = await Poller(http, version).open()

    assert hello.pop("sid")
    assert hello == {
        "upgrades": ["websocket"],
        "pingInterval": 25000,
        "pingTimeout": 20000,
        "maxPayload": 65536,
    }


@VERSIONS
async def test_a_hanging_poll_gets_what_happens_and_the_next_goes_on(
    world: World, http: httpx.AsyncClient, version: int
) -> None:
    poller = Poller(http, version)
    await poller.open()
    done = await poller.post(SUBSCRIBE)
    hanging = asyncio.create_task(poller.seqs())
    poll_queue = only(world).poll_queue
    assert poll_queue
    await until(lambda: poll_queue.polled)
    for _ in range(20):
        world.phones.say("CHANNEL_CREATE", "😀")

    assert done.text == "ok"
    assert await hanging == list(range(1, 17))
    assert await poller.seqs() == list(range(17, 21))


@VERSIONS
async def test_an_upgrade_in_three_steps_loses_and_repeats_nothing(
    world: World, http: httpx.AsyncClient, version: int
) -> None:
    poller = Poller(http, version)
    await poller.open()
    await poller.post(SUBSCRIBE)
    hanging = asyncio.create_task(poller.get())
    async with poller.upgrade() as socket, asyncio.timeout(20):
        poll_queue = only(world).poll_queue
        assert poll_queue
        await until(lambda: poll_queue.polled)
        await step(socket, "2probe", "3probe")
        noop = await hanging
        world.phones.say("CHANNEL_CREATE")
        polled = await poller.seqs()
        idle = await poller.get()
        for _ in range(2):
            world.phones.say("CHANNEL_CREATE")
        await socket.send("5")
        await until(lambda: only(world).socket)
        world.phones.say("CHANNEL_CREATE")
        got = [json.loads(str(await socket.recv())[2:])[1]["Event-Seq"] for _ in range(3)]
        late = await http.get("/socket.io/", params=poller.params)

        assert (noop, idle) == (["6"], ["6"])
        assert (polled, got) == ([1], [2, 3, 4])
        assert late.json() == {"code": 3, "message": "Bad request"}
    await until(lambda: not len(world.live._socket_io))


async def test_a_failed_upgrade_leaves_the_polls_alone(
    world: World, http: httpx.AsyncClient
) -> None:
    pace(world, upgrade=0.3)
    poller = Poller(http, 4)
    await poller.open()
    await poller.post(SUBSCRIBE)
    for words in (["5"], ["2probe", SUBSCRIBE], ["2nonsense"], [], ["2probe"]):
        async with poller.upgrade() as socket:
            for word in words:
                await socket.send(word)
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await socket.recv()
    world.phones.say("CHANNEL_CREATE")

    assert await poller.seqs() == [1]
    assert not only(world).upgrading


async def test_two_polls_at_once_are_an_error(world: World, http: httpx.AsyncClient) -> None:
    poller = Poller(http, 4)
    await poller.open()
    first = asyncio.create_task(poller.get())
    poll_queue = only(world).poll_queue
    assert poll_queue
    await until(lambda: poll_queue.polled)
    second = await http.get("/socket.io/", params=poller.params)

    assert (second.status_code, second.json()["code"]) == (400, 3)
    assert await first == ["6"]
    assert not len(world.live._socket_io)


@pytest.mark.parametrize(
    ("method", "query", "code"),
    [
        ("GET", "EIO=4", 0),
        ("GET", "EIO=4&transport=carrier-pigeon", 0),
        ("GET", "EIO=4&transport=polling&sid=none", 1),
        ("POST", "EIO=4&transport=polling&sid=none", 1),
        ("POST", "EIO=4&transport=polling", 2),
        ("GET", "EIO=4&transport=websocket", 3),
        ("GET", "EIO=9&transport=polling", 5),
        ("PUT", "EIO=4&transport=polling", 2),
    ],
)
async def test_refusals_are_those_of_the_reference_server(
    http: httpx.AsyncClient, method: str, query: str, code: int
) -> None:
    messages = [
        "Transport unknown",
        "Session ID unknown",
        "Bad handshake method",
        "Bad request",
        "Forbidden",
        "Unsupported protocol version",
    ]
    answer = await http.request(method, f"/socket.io/?{query}")

    assert answer.status_code == 400
    assert answer.json() == {"code": code, "message": messages[code]}


async def test_a_session_answers_only_in_its_own_version(http: httpx.AsyncClient) -> None:
    poller = Poller(http, 4)
    await poller.open()
    other = await http.get("/socket.io/", params={**poller.params, "EIO": "3"})

    assert other.json()["code"] == 3


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("?EIO=4&transport=websocket&sid=none", 400),
        ("?EIO=4&transport=polling", 400),
        ("1/websocket/none", 404),
        ("1/flashsocket/none", 404),
    ],
)
async def test_websockets_are_refused_by_http(world: World, path: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{world.port}/socket.io/{path}"):
            pass

    assert refused.value.response.status_code == status


@VERSIONS
@pytest.mark.parametrize("body", [b"\xff", b"9:4", b"\xef\xbf\xbd"])
async def test_a_body_that_is_no_payload(
    world: World, http: httpx.AsyncClient, version: int, body: bytes
) -> None:
    poller = Poller(http, version)
    await poller.open()
    answer = await http.post("/socket.io/", params=poller.params, content=body)
    await poller.post(SUBSCRIBE)
    world.phones.say("CHANNEL_CREATE")
    packets = await poller.get()

    assert answer.status_code in (200, 400)
    assert answer.status_code == 400 or packets[0] == '42["error",{"message":"invalid packet"}]'
    assert packets[-1].startswith('42["CHANNEL_CREATE"')


async def test_a_body_has_its_limit(start: Start) -> None:
    world = await start(LiveLimits(frame_bytes=1000))
    async with httpx.AsyncClient(base_url=world.url, timeout=20) as http:
        poller = Poller(http, 4)
        hello = await poller.open()
        answer = await poller.post("4" + "x" * 1000)

    assert hello["maxPayload"] == 1000
    assert (answer.status_code, len(world.live._socket_io)) == (413, 1)


async def test_a_long_message_is_an_error_event(start: Start) -> None:
    world = await start(LiveLimits(frame_bytes=1000))
    async with socket_of(world, 3) as socket:
        await socket.recv()
        await socket.recv()
        await step(
            socket,
            "4" + "x" * 1000,
            '42["error",{"message":"invalid packet: at most 1000 bytes"}]',
        )


def socket_of(world: World, version: int) -> connect:
    return connect(f"ws://127.0.0.1:{world.port}/socket.io/?EIO={version}&transport=websocket")


@pytest.mark.parametrize(
    ("version", "said", "answer"),
    [
        (4, SUBSCRIBE, '44{"message":"connect to the namespace first"}'),
        (4, "40/other,", '44/other,{"message":"Invalid namespace"}'),
        (3, "40/other", '44/other,"Invalid namespace"'),
        (3, "40/other?a=1,", '44/other,"Invalid namespace"'),
        (3, '42/other,["subscribe"]', '44/other,"Invalid namespace"'),
        (3, "2", "3"),
        (3, "2hi", "3hi"),
        (3, "b4AAAA", '42["error",{"message":"invalid packet: only text events are supported"}]'),
        (3, "nonsense", '42["error",{"message":"invalid packet"}]'),
        (3, "42[{}]", '42["error",{"message":"invalid packet"}]'),
    ],
)
async def test_single_packets(world: World, version: int, said: str, answer: str) -> None:
    async with socket_of(world, version) as socket, asyncio.timeout(20):
        for _ in range(2 if version == 3 else 1):
            await socket.recv()
        await step(socket, said, answer)


async def test_the_server_pings_clients_4_and_lets_go_of_silent_ones(world: World) -> None:
    pace(world, ping_interval=0.3, ping_timeout=0.6)
    async with socket_of(world, 4) as socket, asyncio.timeout(20):
        await socket.recv()
        await socket.send("40")
        await socket.recv()
        for _ in range(3):
            assert await socket.recv() == "2"
            await socket.send("3")
        assert await socket.recv() == "2"
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert not len(world.live._socket_io)


async def test_who_never_joins_is_let_go(world: World) -> None:
    pace(world, ping_interval=0.3)
    async with socket_of(world, 4) as socket, asyncio.timeout(20):
        await socket.recv()
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_clients_3_ping_and_are_let_go_when_they_do_not(world: World) -> None:
    pace(world, ping_interval=0.4, ping_timeout=0.4)
    async with socket_of(world, 3) as socket, asyncio.timeout(20):
        await socket.recv()
        await socket.recv()
        for _ in range(4):
            await asyncio.sleep(0.3)
            await step(socket, "2", "3")
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_a_goodbye_ends_the_subscriptions(world: World) -> None:
    async with socket_of(world, 4) as socket, asyncio.timeout(20):
        await socket.recv()
        await socket.send("40")
        await socket.recv()
        await step(
            socket, SUBSCRIBE.replace("42", "421"), '431[{"status":"success","subscribed":["#"]}]'
        )
        await socket.send("41")
        await until(lambda: not world.live._hub._accounts)
        await socket.send("40")

        assert str(await socket.recv()).startswith('40{"sid":')
        await socket.send("1")
        await until(lambda: not len(world.live._socket_io))


# Socket.IO 0.9


class Poller09:
    """xhr-polling by hand."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.url = self.sid = ""

    async def open(self) -> None:
        answer = await self.http.get("/socket.io/1/?t=1")
        self.sid = answer.text.partition(":")[0]
        self.url = f"/socket.io/1/xhr-polling/{self.sid}"
        assert answer.text.endswith(":websocket,xhr-polling")
        assert answer.headers["content-type"].startswith("text/plain")

    async def get(self) -> list[str]:
        answer = await self.http.get(self.url)
        assert answer.status_code == 200
        return socket_io_09.packets(answer.text)

    async def post(self, *packets: str) -> None:
        body = socket_io_09.payload(packets)
        assert (await self.http.post(self.url, content=body.encode())).text == "1"

    async def seqs(self) -> list[int]:
        return [
            json.loads(packet[4:])["args"][0]["Event-Seq"]
            for packet in await self.get()
            if packet.startswith("5")
        ]

    def socket(self) -> connect:
        netloc = self.http.base_url.netloc.decode()
        return connect(f"ws://{netloc}/socket.io/1/websocket/{self.sid}", origin=netloc)  # type: ignore[arg-type]


async def test_the_handshake_of_0_9(http: httpx.AsyncClient) -> None:
    answer = await http.get("/socket.io/1/?t=1")

    assert answer.text.partition(":")[2] == "30:30:websocket,xhr-polling"


async def test_0_9_polls(world: World, http: httpx.AsyncClient) -> None:
    pace(world, beat=0.2)
    poller = Poller09(http)
    await poller.open()
    hello, idle = await poller.get(), await poller.get()
    await poller.post(SUBSCRIBE_09, '5:1+::{"name":"unsubscribe"}', SUBSCRIBE_09)
    ack = await poller.get()
    for _ in range(2):
        world.phones.say("CHANNEL_CREATE", "hồng 😀")
    seqs = await poller.seqs()
    over = await http.get(f"/socket.io/1//{poller.sid}/?disconnect=1")
    late = await http.get(poller.url)

    assert (hello, idle) == (["1::"], ["8::"])
    assert ack == ['6:::1+[{"status":"success","unsubscribed":["#"],"subscribed":[]}]']
    assert seqs == [1, 2]
    assert (over.status_code, late.status_code, len(world.live._socket_io)) == (200, 404, 0)


async def test_0_9_comes_back_with_its_sid_and_keeps_its_subscriptions(
    world: World, http: httpx.AsyncClient
) -> None:
    poller = Poller09(http)
    await poller.open()
    async with poller.socket() as socket, asyncio.timeout(20):
        assert await socket.recv() == "1::"
        await socket.send(SUBSCRIBE_09)
        await until(lambda: world.live._hub._accounts)
        world.phones.say("CHANNEL_CREATE")
        assert '"Event-Seq":1' in str(await socket.recv())
        socket.transport.abort()
    await until(lambda: only(world).poll_queue)
    world.phones.say("CHANNEL_CREATE")
    async with poller.socket() as socket, asyncio.timeout(20):
        back = [str(await socket.recv()) for _ in range(2)]
        world.phones.say("CHANNEL_CREATE")
        back.append(str(await socket.recv()))
    polled = await poller.get()
    world.phones.say("CHANNEL_CREATE")

    assert back[0] == "1::"
    assert '"Event-Seq":2' in back[1]
    assert '"Event-Seq":3' in back[2]
    assert polled == ["1::"]
    assert await poller.seqs() == [4]


async def test_0_9_heartbeats_and_the_end_of_a_silent_session(
    world: World, http: httpx.AsyncClient
) -> None:
    pace(world, beat=0.3, silence=1.0)
    poller = Poller09(http)
    await poller.open()
    async with poller.socket() as socket, asyncio.timeout(20):
        await socket.recv()
        for _ in range(6):
            assert await socket.recv() == "2::"
            await socket.send("2::")
        with contextlib.suppress(ConnectionClosed):
            while True:
                assert await socket.recv() == "2::"
    await until(lambda: not len(world.live._socket_io))


async def test_0_9_a_new_poll_sends_the_old_one_home(world: World, http: httpx.AsyncClient) -> None:
    poller = Poller09(http)
    await poller.open()
    await poller.get()
    first = asyncio.create_task(poller.get())
    poll_queue = only(world).poll_queue
    assert poll_queue
    await until(lambda: poll_queue.polled)
    second = asyncio.create_task(poller.seqs())
    await poller.post(SUBSCRIBE_09)

    assert await first == ["8::"]
    world.phones.say("CHANNEL_CREATE")
    assert await second == [1]


async def test_0_9_several_packets_in_one_frame(world: World, http: httpx.AsyncClient) -> None:
    poller = Poller09(http)
    await poller.open()
    async with poller.socket() as socket, asyncio.timeout(20):
        await socket.recv()
        await socket.send(socket_io_09.payload(["2::", SUBSCRIBE_09, "nonsense"]))
        error = await socket.recv()
        world.phones.say("CHANNEL_CREATE")

        assert error == '5:::{"name":"error","args":[{"message":"invalid packet"}]}'
        assert str(await socket.recv()).startswith('5:::{"name":"CHANNEL_CREATE"')


# Cross-origin


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE"])
async def test_only_get_and_post_begin_a_session_of_09(http: Any, method: str) -> None:
    assert (await http.request(method, "/socket.io/1/")).status_code == 405


@pytest.mark.parametrize("path", ["/socket.io/?EIO=3&transport=polling", "/socket.io/1/"])
async def test_a_preflight(start: Start, path: str) -> None:
    world = await start(origins=("https://crm.example",))
    asked = {
        "Origin": "https://crm.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    async with httpx.AsyncClient(base_url=world.url) as http:
        good = await http.options(path, headers=asked)
        real = await http.get(path, headers={"Origin": "https://crm.example"})
        bad = await http.options(path, headers={**asked, "Origin": "https://evil.example"})

    assert (good.status_code, real.status_code, bad.status_code) == (200, 200, 403)
    for answer in (good, real):
        assert answer.headers["access-control-allow-origin"] == "https://crm.example"
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["vary"] == "Origin"
    assert good.headers["access-control-allow-headers"] == "content-type"
    assert not any(name.startswith("access-control") for name in bad.headers)


async def test_a_websocket_of_another_origin_is_refused(start: Start) -> None:
    world = await start(origins=("https://crm.example",))
    url = f"ws://127.0.0.1:{world.port}/socket.io/?EIO=4&transport=websocket"
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, origin="https://evil.example"):  # type: ignore[arg-type]
            pass
    async with connect(url, origin="https://crm.example") as socket:  # type: ignore[arg-type]
        hello = await socket.recv()

    assert refused.value.response.status_code == 403
    assert str(hello).startswith("0{")


FLOODS = {
    "pings": "2x",
    "other namespaces": "40/x,",
    "events of other namespaces": '42/x,["a"]',
    "coming and going": "41\x1e40",
    "what is no packet": "x",
    "events": '42["a"]',
    "subscribes without a token": '421["subscribe",{}]',
}


@pytest.mark.parametrize("packet", FLOODS.values(), ids=FLOODS)
async def test_a_stranger_has_little_waiting_however_it_asks(
    world: World, http: httpx.AsyncClient, packet: str
) -> None:
    """Ten sessions had taken 300 MB, in packets of two letters, before anybody was known."""
    poller = Poller(http, 4)
    await poller.open()
    [session] = world.live._socket_io._context.sessions.values()
    for _ in range(20):
        if (await poller.post(*[packet] * 400)).status_code != 200:
            break
    waiting = session.poll_queue
    assert waiting is None or len(waiting._packets) < 1000
    assert session.ended or session.buffered() < 65_536 + 1000


@pytest.mark.parametrize(("version", "packet"), [(4, "2"), (3, "2"), (4, ""), (3, "")])
async def test_a_payload_has_so_many_packets(
    http: httpx.AsyncClient, version: int, packet: str
) -> None:
    poller = Poller(http, version)
    await poller.open()
    assert (await poller.post(*[packet] * 1000)).status_code == 200
    assert (await poller.post(*[packet] * 1001)).status_code == 400
