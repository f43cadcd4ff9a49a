"""WebSockets on a real server, byte by byte where it matters."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from trunkline.live import LiveLimits
from trunkline.live.http.frames import text_frame
from trunkline.live.http.protocol import EventHttp
from trunkline.live.http.websocket import Refusal, SocketHandler, WebSocket, WebSockets

from ..conftest import api, until


class Echo:
    """Says what it hears, and remembers what happened."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.socket: WebSocket

    def opened(self, socket: WebSocket) -> None:
        self.socket = socket
        self.happened.append("opened")

    def received(self, data: str | bytes) -> None:
        if data == "fail":
            raise RuntimeError
        self.socket.send_text(f"{type(data).__name__} {len(data)}")

    def congested(self) -> None:
        self.happened.append("congested")

    def flowing(self) -> None:
        self.happened.append("flowing")

    def closed(self) -> None:
        self.happened.append("closed")


class House:
    """A server whose path /echo is an Echo."""

    def __init__(self, limits: LiveLimits) -> None:
        self.echoes: list[Echo] = []
        self.asked: list[tuple[str, str, str | None]] = []
        self.sockets = WebSockets(self.route, limits)
        self.port = 0
        self.server: uvicorn.Server

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/echo"

    def route(self, path: str, query: str, headers: Mapping[str, str]) -> SocketHandler | Refusal:
        self.asked.append((path, query, headers.get("x-asked")))
        if path == "/broken":
            raise RuntimeError
        if path != "/echo":
            return Refusal(404, b"nothing\n", (("X-Why", "because"),))
        self.echoes.append(Echo())
        return self.echoes[-1]


@contextlib.asynccontextmanager
async def serving(limits: LiveLimits | None = None) -> AsyncIterator[House]:
    house = House(limits or LiveLimits())
    listener = socket.create_server(("127.0.0.1", 0))
    house.port = listener.getsockname()[1]
    config = uvicorn.Config(
        api,
        http=EventHttp,
        ws=house.sockets,  # type: ignore[arg-type]
        log_level="warning",
        timeout_graceful_shutdown=5,
    )
    house.server = uvicorn.Server(config)
    task = asyncio.create_task(house.server._serve(sockets=[listener]))
    await until(lambda: house.server.started)
    try:
        yield house
    finally:
        house.server.should_exit = True
        await task


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with serving() as house:
        yield house


def shake(path: str = "/echo", **headers: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    sent = {
        "Host": "x",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode()


def masked(opcode: int, payload: bytes, fin: bool = True) -> bytes:
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        return head + bytes([0x80 | len(payload)]) + b"\0\0\0\0" + payload
    return head + bytes([0x80 | 126]) + struct.pack("!H", len(payload)) + b"\0\0\0\0" + payload


@contextlib.asynccontextmanager
async def raw(
    house: House, sent: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(sent)
    try:
        async with asyncio.timeout(20):
            yield reader, writer
    finally:
        writer.close()


async def head(reader: asyncio.StreamReader) -> str:
    return (await reader.readuntil(b"\r\n\r\n")).decode()


async def test_messages_of_all_sizes_and_kinds(house: House) -> None:
    async with connect(house.url) as client:
        for message, answer in [
            ("", "str 0"),
            ("x" * 125, "str 125"),
            ("x" * 126, "str 126"),
            ("x" * 70_000, "str 70000"),
            ("ế" * 10, "str 10"),
            (b"\0" * 300, "bytes 300"),
            (["a", "b" * 1000, ""], "str 1001"),
            ([b"a", b"b"], "bytes 2"),
        ]:
            await client.send(message)
            assert await client.recv() == answer
        house.echoes[0].socket.write(text_frame(b"y" * 70_000))

        assert await client.recv() == "y" * 70_000
        assert house.echoes[0].socket.address == "127.0.0.1"
        await (await client.ping())  # the pong came


async def test_the_route_gets_the_path_the_query_and_the_headers(house: House) -> None:
    async with raw(house, shake("/echo?a=b%20c", X_Asked="yes")) as (reader, _):
        assert (await head(reader)).startswith("HTTP/1.1 101")
    async with raw(house, shake("/%65cho?a=b%20c", X_Asked="yes")) as (reader, _):
        assert (await head(reader)).startswith("HTTP/1.1 404")
    async with raw(house, shake("http://127.0.0.1/echo", X_Asked="yes")) as (reader, _):
        assert (await head(reader)).startswith("HTTP/1.1 400")

    assert house.asked == [("/echo", "a=b%20c", "yes"), ("/%65cho", "a=b%20c", "yes")]


async def test_nothing_is_compressed(house: House) -> None:
    async with connect(house.url, compression="deflate") as client:
        await client.send("hello")

        assert await client.recv() == "str 5"
        assert client.protocol.extensions == []


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (shake("/other"), "404"),
        (shake("/broken"), "500"),
        (shake(Sec_WebSocket_Key=""), "400"),
        (shake(Sec_WebSocket_Key="short"), "400"),
        (shake(Sec_WebSocket_Version="8"), "400"),
        (shake(Content_Length="5") + b"12345", "400"),
        (shake(Transfer_Encoding="chunked") + b"0\r\n\r\n", "400"),
        (shake(Origin="a\r\nOrigin: b"), "400"),
        (shake("/echo" + "x" * 9000), "4"),
        (shake().replace(b"GET", b"POST"), "405"),
        (shake(Connection="keep-alive"), "405"),  # no upgrade at all: the HTTP door's
    ],
)
async def test_a_handshake_that_is_refused(house: House, sent: bytes, status: str) -> None:
    async with raw(house, sent) as (reader, _):
        assert (await head(reader)).startswith(f"HTTP/1.1 {status}")
    await until(lambda: not house.server.server_state.connections)
    async with connect(house.url) as client:
        await client.send("still here")

        assert await client.recv() == "str 10"


async def test_a_refusal_has_its_headers_and_body(house: House) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(house.url.replace("/echo", "/nowhere"))
    async with httpx.AsyncClient() as http:
        page = await http.get(f"http://127.0.0.1:{house.port}/echo")

    assert refused.value.response.status_code == 404
    assert refused.value.response.body == b"nothing\n"
    assert refused.value.response.headers["X-Why"] == "because"
    assert page.text == "api http /echo"


async def test_a_close_is_answered_and_told_once(house: House) -> None:
    async with connect(house.url) as client:
        await client.close(4321, "bye")
    await until(lambda: not house.server.server_state.connections)

    assert client.close_code == 4321
    assert house.echoes[0].happened == ["opened", "closed"]
    assert len(house.sockets.open) == 0


async def test_a_close_from_here(house: House) -> None:
    async with connect(house.url) as client:
        await client.send("x")
        await client.recv()
        house.echoes[0].socket.close(4008, "ế" * 100)
        house.echoes[0].socket.close(1000)
        house.echoes[0].socket.send_text("too late")
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
    await until(lambda: not house.server.server_state.connections)

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4008, "ế" * 41)
    assert house.echoes[0].happened == ["opened", "closed"]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (masked(1, b"\xff\xfe"), 1007),
        (masked(1, b"\xc3", fin=False) + masked(0, b"\xff"), 1007),
        (b"\x81\x05hello", 1002),  # not masked
        (masked(0, b"a"), 1002),
        (masked(3, b"a"), 1002),
        (masked(1, b"a", fin=False) + masked(1, b"b"), 1002),
        (b"\x81\xff" + struct.pack("!Q", 1 << 40) + b"\0\0\0\0", 1009),
        (masked(1, b"fail"), 1011),
        (masked(8, struct.pack("!H", 1000)), 1000),
        (masked(8, b""), None),
    ],
)
async def test_frames_that_end_it(house: House, frames: bytes, code: int | None) -> None:
    async with raw(house, shake()) as (reader, writer):
        await head(reader)
        writer.write(frames)
        opcode, length = await reader.readexactly(2)
        body = await reader.readexactly(length)
        writer.write(masked(8, body[:2]))
        rest = await reader.read()

    assert opcode == 0x88
    assert rest == b""
    assert (struct.unpack("!H", body[:2])[0] if body else None) == code
    await until(lambda: house.echoes[0].happened == ["opened", "closed"])


async def test_many_small_fragments_are_one_message(house: House) -> None:
    async with raw(house, shake()) as (reader, writer):
        await head(reader)
        writer.write(masked(1, "ế".encode()[:1], fin=False))
        writer.write(masked(9, b"in between"))
        for byte in "ế".encode()[1:]:
            writer.write(masked(0, bytes([byte]), fin=False))
        writer.write(masked(0, b""))

        answers = await reader.readexactly(19)

        assert b"\x8a\x0ain between" in answers
        assert b"\x81\x05str 1" in answers


async def test_what_comes_along_with_a_close_frame_still_counts(house: House) -> None:
    async with raw(house, shake()) as (reader, writer):
        await head(reader)
        writer.write(masked(1, b"fail") + masked(8, struct.pack("!H", 1000)))

        assert await reader.read() == b"\x88\x02" + struct.pack("!H", 1000)
    await until(lambda: house.echoes[0].happened == ["opened", "closed"])


async def test_a_lost_connection_is_told_once(house: House) -> None:
    for lose in (asyncio.StreamWriter.close, lambda writer: writer.transport.abort()):
        async with raw(house, shake()) as (reader, writer):
            await head(reader)
            lose(writer)
        await until(lambda: not house.server.server_state.connections)

    assert [echo.happened for echo in house.echoes] == [["opened", "closed"]] * 2


async def test_a_slow_peer_is_congested_not_read_and_flows_again(house: House) -> None:
    async with raw(house, shake()) as (reader, writer):
        await head(reader)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        echo = house.echoes[0]
        frame, written = text_frame(b"x" * 50_000), 0
        while "congested" not in echo.happened:
            echo.socket.write(frame)
            written += len(frame)
            await asyncio.sleep(0)
        buffered, waiting = echo.socket.buffered(), asyncio.create_task(echo.socket.room())
        writer.write(masked(1, b"hello"))
        reader._transport.resume_reading()  # type: ignore[attr-defined]
        await reader.readexactly(written)
        await waiting

        assert buffered > 0
        assert await reader.readexactly(7) == b"\x81\x05str 5"
        assert echo.happened == ["opened", "congested", "flowing"]
        assert echo.socket.buffered() == 0


async def test_a_frozen_peer_is_let_go_some_time_after_its_close() -> None:
    async with serving(LiveLimits(stall_seconds=0.2)) as house, raw(house, shake()) as (reader, _):
        await head(reader)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        echo = house.echoes[0]
        while "congested" not in echo.happened:
            echo.socket.write(text_frame(b"x" * 50_000))
            await asyncio.sleep(0)
        echo.socket.close(4008, "resume after 7")
        await until(lambda: not house.server.server_state.connections)

        assert echo.happened == ["opened", "congested", "closed"]


async def test_a_dead_peer_is_noticed_and_a_living_one_stays() -> None:
    async with serving(LiveLimits(ping_seconds=0.2)) as house, connect(house.url) as living:
        async with raw(house, shake()) as (reader, _):
            await head(reader)
            pings = await reader.read()  # until the server has had enough
        await living.send("x")

        assert pings == b"\x89\x00" * 2
        assert await living.recv() == "str 1"
        assert [echo.happened for echo in house.echoes] == [["opened"], ["opened", "closed"]]


async def test_a_peer_that_takes_nothing_is_noticed_too() -> None:
    async with serving(LiveLimits(ping_seconds=0.2)) as house, raw(house, shake()) as (reader, _):
        await head(reader)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        echo = house.echoes[0]
        while "congested" not in echo.happened:
            echo.socket.write(text_frame(b"x" * 50_000))
            await asyncio.sleep(0)
        await until(lambda: not house.server.server_state.connections)

        assert echo.happened == ["opened", "congested", "closed"]


async def test_the_servers_end_closes_all_and_waits_for_none_that_is_frozen() -> None:
    async with serving() as house, connect(house.url) as client, raw(house, shake()) as (reader, _):
        await head(reader)
        house.server.should_exit = True
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        await until(lambda: not house.server.server_state.connections)

        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert [echo.happened for echo in house.echoes] == [["opened", "closed"]] * 2


FLOODS = {
    "pings": masked(9, b""),
    "pongs": masked(10, b""),
    "fragments": masked(0, b""),
    "messages": masked(1, b"x"),
}


@pytest.mark.parametrize("frame", FLOODS.values(), ids=FLOODS)
async def test_a_flood_of_frames_ends_it(house: House, frame: bytes) -> None:
    """To read one takes as long, whatever it is: fifty who sent pings kept all others waiting for seconds."""
    async with raw(house, shake()) as (reader, writer):
        await head(reader)
        writer.write(masked(1, b"", fin=False) if frame == FLOODS["fragments"] else b"")
        writer.write(frame * 30_000)
        said = b""
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65536):
                said += piece
    assert said.count(b"str 1") < 2000
    await until(lambda: house.echoes[0].happened[-1] == "closed")


async def test_a_thousand_frames_in_a_second_are_no_flood(house: House) -> None:
    async with raw(house, shake()) as (reader, writer):
        await head(reader)
        writer.write(masked(9, b"x") * 900)
        for _ in range(900):
            assert await reader.readexactly(3) == b"\x8a\x01x"
