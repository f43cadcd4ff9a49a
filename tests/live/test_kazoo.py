"""The raw WebSocket, with a real client on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from trunkline.live import LiveLimits

from .conftest import Start, World, until
from .fakes import ACCOUNT, OTHER, OTHER_TOKEN, TOKEN


class Client:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def ask(self, **frame: Any) -> dict[str, Any]:
        await self.socket.send(json.dumps({"request_id": "r1", **frame}))
        return await self.next()

    async def subscribe(self, *bindings: str, token: Any = TOKEN, **data: Any) -> dict[str, Any]:
        data = {"account_id": ACCOUNT, "bindings": list(bindings), **data}
        return await self.ask(action="subscribe", auth_token=token, data=data)

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(20):
            frame = json.loads(await self.socket.recv())
        assert isinstance(frame, dict)
        return frame


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    async with connect(world.ws) as socket:
        yield Client(socket)


async def test_a_subscriber_gets_kazoos_frames(world: World, client: Client) -> None:
    data = {"account_id": ACCOUNT, "binding": "call.CHANNEL_CREATE.*"}
    reply = await client.ask(action="subscribe", auth_token=TOKEN, data=data)
    world.phones.say("CHANNEL_ANSWER")
    world.phones.say("CHANNEL_CREATE", "tl-17.12")

    assert reply == {
        "action": "reply",
        "request_id": "r1",
        "status": "success",
        "data": {
            "subscribed": ["call.CHANNEL_CREATE.*"],
            "subscriptions": ["call.CHANNEL_CREATE.*"],
        },
    }
    assert await client.next() == {
        "action": "event",
        "subscribed_key": "call.CHANNEL_CREATE.*",
        "subscription_key": f"call.{ACCOUNT}.CHANNEL_CREATE.*",
        "name": "CHANNEL_CREATE",
        "routing_key": f"call.{ACCOUNT}.CHANNEL_CREATE.tl-17%2E12",
        "data": {
            "event_category": "call_event",
            "event_name": "CHANNEL_CREATE",
            "call_id": "tl-17.12",
            "custom_channel_vars": {"account_id": ACCOUNT, "username": "hồng"},
            "event_seq": 2,
        },
    }


async def test_several_bindings_and_an_end_of_one_and_of_all(world: World, client: Client) -> None:
    both = ["call.CHANNEL_CREATE.a%2Eb", "device.*.*"]
    first = await client.subscribe(*both)
    world.phones.say("CHANNEL_CREATE", "other")
    world.phones.say("CHANNEL_CREATE", "a.b")
    world.phones.say("DEVICE_ONLINE", "phone1", category="device")
    events = [await client.next(), await client.next()]
    data = {"account_id": ACCOUNT, "binding": both[0]}
    one = await client.ask(action="unsubscribe", auth_token=TOKEN, data=data)
    rest = await client.ask(action="unsubscribe")

    assert first["data"] == {"subscribed": both, "subscriptions": both}
    assert [event["subscribed_key"] for event in events] == both
    assert one["data"] == {"unsubscribed": both[:1], "subscriptions": both[1:]}
    assert rest["data"] == {"unsubscribed": both[1:], "subscriptions": []}


async def test_a_socket_to_the_bare_host_is_the_same_as_in_kazoos_samples(world: World) -> None:
    async with connect(f"ws://127.0.0.1:{world.port}") as socket:
        client = Client(socket)
        reply = await client.subscribe(binding="call.CHANNEL_CREATE.*")
        world.phones.say("CHANNEL_CREATE")

        assert reply["data"]["subscriptions"] == ["call.CHANNEL_CREATE.*"]
        assert (await client.next())["name"] == "CHANNEL_CREATE"


async def test_where_both_are_given_binding_is_taken_as_in_kazoo(client: Client) -> None:
    reply = await client.subscribe("call.CHANNEL_CREATE.*", binding="call.CHANNEL_ANSWER.*")

    assert reply["data"]["subscribed"] == ["call.CHANNEL_ANSWER.*"]


async def test_a_replay_joins_the_live_stream(world: World, client: Client) -> None:
    for _ in range(1200):
        world.phones.say("CHANNEL_CREATE")
    world.events.forget(ACCOUNT, upto=10)
    await client.subscribe("#", after=5)
    for _ in range(50):
        world.phones.say("CHANNEL_ANSWER")
        await asyncio.sleep(0)
    frames = [await client.next() for _ in range(1 + 1190 + 50)]

    assert (frames[0]["name"], frames[0]["data"]) == ("GAP", {"from": 6, "to": 10})
    assert [frame["data"]["event_seq"] for frame in frames[1:]] == list(range(11, 1251))


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        ({"auth_token": None}, "authentication token required"),
        ({"auth_token": 7}, "invalid authentication token format"),
        ({"auth_token": "f" * 32}, "invalid auth token"),
        ({"auth_token": "x" * 5000}, "invalid auth token"),
        ({"data": None}, "missing required keys : account_id, binding"),
        ({"data": {"account_id": ACCOUNT}}, "missing required keys : binding"),
        ({"data": {"binding": "call.*.*"}}, "missing required keys : account_id"),
        ({"data": {"account_id": OTHER, "binding": "call.*.*"}}, "unauthorized account id"),
        ({"data": {"account_id": [1], "binding": "call.*.*"}}, "unauthorized account id"),
        (
            {"data": {"account_id": ACCOUNT, "binding": "call.NO.*"}},
            "event NO not supported",
        ),
        (
            {"data": {"account_id": ACCOUNT, "binding": "fax.status.*"}},
            "no available subscriptions to requested binding",
        ),
        (
            {"data": {"account_id": ACCOUNT, "bindings": ["call.*.*", 5]}},
            "a binding is a string, such as call.CHANNEL_CREATE.*",
        ),
        (
            {"data": {"account_id": ACCOUNT, "binding": "#", "after": -1}},
            "after is an Event-Seq: a whole number, 0 or more",
        ),
        (
            {"data": {"account_id": ACCOUNT, "binding": "#", "after": True}},
            "after is an Event-Seq: a whole number, 0 or more",
        ),
        (
            {"data": {"account_id": ACCOUNT, "bindings": [f"call.*.{n}" for n in range(101)]}},
            "too many subscriptions: at most 100 on one connection",
        ),
        ({"action": "dance"}, "action dance not supported"),
        ({"action": None}, "action None not supported"),
    ],
)
async def test_what_is_refused(client: Client, frame: dict[str, Any], error: str) -> None:
    good = {"account_id": ACCOUNT, "binding": "call.*.*"}
    frame = {"action": "subscribe", "auth_token": TOKEN, "data": good, **frame}
    reply = await client.ask(**frame)

    assert reply == {
        "action": "reply",
        "request_id": "r1",
        "status": "error",
        "data": {"errors": [error]},
    }
    assert (await client.ask(action="ping"))["data"] == {"response": "pong"}


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        ("{", "invalid frame: not a JSON object"),
        ("[]", "invalid frame: not a JSON object"),
        ("[" * 60_000, "invalid frame: not a JSON object"),
        (b"\x00\x01", "binary frames are not supported: send JSON as text"),
        ("ế" * 30_000, "frame too large: at most 65536 bytes"),
    ],
)
async def test_a_bad_frame_is_answered_and_not_a_drop(
    client: Client, raw: str | bytes, error: str
) -> None:
    await client.socket.send(raw)
    reply = await client.next()

    assert (reply["status"], reply["data"]) == ("error", {"errors": [error]})
    assert (await client.ask(action="ping"))["status"] == "success"


async def test_the_token_is_shown_once_and_must_stay_valid(world: World, client: Client) -> None:
    world.tokens.issue(TOKEN, ACCOUNT, expires=world.now[0] + 1)
    first = await client.subscribe("call.CHANNEL_CREATE.*")
    second = await client.subscribe("call.CHANNEL_ANSWER.*", token=None)
    world.now[0] += 1
    third = await client.subscribe("device.*.*", token=None)
    world.phones.say("CHANNEL_CREATE")

    assert [first["status"], second["status"], third["status"]] == ["success", "success", "error"]
    assert third["data"] == {"errors": ["invalid auth token"]}
    assert (await client.next())["name"] == "CHANNEL_CREATE"


async def test_accounts_are_apart(world: World, client: Client) -> None:
    async with connect(world.ws) as other_socket:
        other = Client(other_socket)
        await other.subscribe("#", token=OTHER_TOKEN, account_id=OTHER)
        await client.subscribe("#")
        world.phones.say("CHANNEL_CREATE")
        world.phones.say("CHANNEL_ANSWER", account=OTHER)

        assert (await client.next())["name"] == "CHANNEL_CREATE"
        assert (await other.next())["name"] == "CHANNEL_ANSWER"


async def test_too_many_frames_are_answered_with_an_error(start: Start) -> None:
    world = await start(LiveLimits(frames_per_second=3))
    async with connect(world.ws) as socket:
        client = Client(socket)
        replies = [await client.ask(action="ping") for _ in range(4)]
        world.now[0] += 1_000_000
        later = await client.ask(action="ping")

    assert [reply["status"] for reply in replies] == ["success"] * 3 + ["error"]
    assert replies[3]["data"]["errors"][0].startswith("rate limiting threshold hit for ")
    assert later["status"] == "success"


async def test_an_app_may_have_so_many_connections(start: Start) -> None:
    world = await start(LiveLimits(connections_per_app=2))
    world.tokens.issue("d" * 32, ACCOUNT, app_id="app2")
    async with connect(world.ws) as one, connect(world.ws) as two, connect(world.ws) as three:
        for socket_ in (one, two, two):
            assert (await Client(socket_).subscribe("#"))["status"] == "success"
        await three.send(json.dumps(_subscribe(TOKEN)))
        with pytest.raises(ConnectionClosed) as closed:
            await three.recv()
        async with connect(world.ws) as another_app:
            assert (await Client(another_app).subscribe("#", token="d" * 32))["status"] == "success"
        await one.close()
        async with connect(world.ws) as again:
            assert (await Client(again).subscribe("#"))["status"] == "success"
    await until(lambda: not len(world.live._hub.usage))

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
        4029,
        "too many connections: at most 2 of one app",
    )


async def test_an_app_may_have_so_many_bindings(start: Start) -> None:
    world = await start(LiveLimits(subscriptions_per_app=3))
    async with connect(world.ws) as one, connect(world.ws) as two:
        first, second = Client(one), Client(two)
        await first.subscribe("call.*.*", "device.*.*")
        refused = await second.subscribe("call.*.*", "device.*.*")
        granted = await second.subscribe("call.*.*")
        known = await first.subscribe("call.*.*")
        await first.ask(action="unsubscribe")
        later = await second.subscribe("call.*.*", "device.*.*", "#")

    assert refused["data"] == {"errors": ["too many subscriptions: at most 3 of one app"]}
    assert [reply["status"] for reply in (granted, known, later)] == ["success"] * 3


async def test_an_app_may_send_so_many_frames_in_a_second(start: Start) -> None:
    world = await start(LiveLimits(commands_per_second=3))
    async with connect(world.ws) as one, connect(world.ws) as two:
        first, second = Client(one), Client(two)
        for client in (first, second):
            await client.subscribe("call.*.*")
        world.now[0] += 1_000_000
        replies = [await client.ask(action="ping") for client in (first, second, first, second)]
        world.now[0] += 1_000_000
        later = await first.ask(action="ping")

    assert [reply["status"] for reply in replies] == ["success"] * 3 + ["error"]
    assert replies[3]["data"] == {"errors": ["rate limiting threshold hit for app1!"]}
    assert later["status"] == "success"


def _subscribe(token: str) -> dict[str, Any]:
    data = {"account_id": ACCOUNT, "binding": "#"}
    return {"action": "subscribe", "auth_token": token, "data": data}


async def test_a_slow_reader_is_cut_off_and_told_where_to_resume(start: Start) -> None:
    world = await start(LiveLimits(buffered_bytes=50_000, behind_seconds=0.1))
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", world.port))
    async with connect(world.ws, sock=sock, max_queue=1, compression=None) as stalled:
        client = Client(stalled)
        await client.subscribe("#")
        await _until_cut_off(world)
        seen = [json.loads(frame)["data"]["event_seq"] async for frame in _rest(stalled)]
        code, reason = stalled.close_code, stalled.close_reason
        async with connect(world.ws, close_timeout=0.1) as again:
            second = Client(again)
            await second.subscribe("#", after=seen[-1])
            resumed = (await second.next())["data"]["event_seq"]

    assert (code, reason) == (4008, f"resume after {seen[-1]}")
    assert seen == list(range(1, len(seen) + 1))
    assert resumed == seen[-1] + 1


async def _rest(stalled: ClientConnection) -> AsyncIterator[str | bytes]:
    with contextlib.suppress(ConnectionClosed):
        while True:
            yield await stalled.recv()


async def _until_cut_off(world: World) -> None:
    hub = world.live._hub
    async with asyncio.timeout(60):
        while ACCOUNT in hub._accounts:
            for _ in range(40):
                world.phones.say("CHANNEL_CREATE", "x" * 1000)
            await asyncio.sleep(0.001)


async def test_a_client_that_leaves_leaves_nothing_behind(world: World) -> None:
    async with connect(world.ws) as socket:
        await Client(socket).subscribe("call.CHANNEL_CREATE.x", "#")
    await until(lambda: world.live.connections() == {"socket_io": 0, "websocket": 0, "sse": 0})

    assert not world.live._hub._accounts


async def test_shutdown_closes_with_1012_and_the_number(world: World, client: Client) -> None:
    await client.subscribe("#")
    world.phones.say("CHANNEL_CREATE")
    await world.live.close()
    event = await client.next()
    with pytest.raises(ConnectionClosed) as closed:
        await client.next()
    with pytest.raises(InvalidStatus) as refused:
        await connect(world.ws)

    assert event["name"] == "CHANNEL_CREATE"
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, "resume after 1")
    assert refused.value.response.status_code == 503


async def test_a_page_of_another_origin_is_refused_where_origins_are_set(start: Start) -> None:
    world = await start(origins=("https://crm.example",))
    with pytest.raises(InvalidStatus) as refused:
        await connect(world.ws, origin="https://evil.example")  # type: ignore[arg-type]
    for origin in ("https://crm.example", world.url, None):
        async with connect(world.ws, origin=origin) as socket:  # type: ignore[arg-type]
            assert (await Client(socket).ask(action="ping"))["status"] == "success"

    assert refused.value.response.status_code == 403


async def test_all_else_is_the_apis(world: World) -> None:
    import httpx

    async with httpx.AsyncClient() as http:
        get = await http.get(f"{world.url}/oapi/v1/voice/events")
        root = await http.get(world.url)
    with pytest.raises(InvalidStatus) as elsewhere:
        await connect(f"ws://127.0.0.1:{world.port}/oapi/v1/other")

    assert (get.status_code, get.text) == (405, "api http /oapi/v1/voice/events")
    assert root.text == "api http /"
    assert elsewhere.value.response.status_code == 404
