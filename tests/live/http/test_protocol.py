"""Connections that never get to the point: heads without an end, and clients that say nothing."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Callable

import pytest
import uvicorn

from trunkline.live.http import protocol as http
from trunkline.live.http.protocol import EventHttp

Ask = Callable[[bytes], "asyncio.Future[bytes]"]


async def application(scope, receive, send) -> None:
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]}
    )
    await send({"type": "http.response.body", "body": b"%04d" % min(size, 9999)})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(application, port=0, http=EventHttp, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


async def answered(port: int, *parts: bytes) -> bytes:
    """All that comes back, until the server closes; the parts are sent one by one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(20):
            for part in parts:
                writer.write(part)
                await writer.drain()
            return await reader.read()
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


START = b"GET / HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        [START, b"X: ", *[b"a" * 65536] * 64],
        [START, *[b"X: 1\r\n" * 8192] * 64],
        [b"GET /", *[b"a" * 65536] * 64],
        [
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            *[b"a" * 65536] * 64,
        ],
        [
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
            *[b"a" * 65536] * 64,
        ],
    ],
    ids=["one header", "many headers", "path", "chunk", "trailer"],
)
async def test_what_does_not_end_is_refused(port: int, parts: list[bytes]) -> None:
    said = await answered(port, *parts)
    assert said == b"reset" or said.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))


async def test_a_large_body_is_no_large_head(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1048576\r\n\r\n"
    said = await answered(port, head, *[b"a" * 65536] * 16)
    assert said.endswith(b"9999")


@pytest.mark.parametrize(
    "parts",
    [[], [START], [b"\r\n"], [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"]],
)
async def test_who_does_not_finish_is_let_go(
    port: int, monkeypatch: pytest.MonkeyPatch, parts: list[bytes]
) -> None:
    monkeypatch.setattr(http, "WHOLE_SECONDS", 0.2)
    await answered(port, *parts)  # ends


async def test_several_requests_by_one_connection(port: int) -> None:
    last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    said = await answered(port, *[START + b"\r\n"] * 2000, last)
    assert said.count(b"HTTP/1.1 200") == 2001


FOREIGN = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "a method that is none": b"SMTP / MAIL\r\n\r\n",
    "another protocol": START + b"Connection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n",
}


@pytest.mark.parametrize("sent", FOREIGN.values(), ids=FOREIGN)
async def test_who_speaks_something_else_fills_no_log(
    port: int, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "uvicorn.error"):
        said = await answered(port, sent)
    told = {record.levelno for record in caplog.records if record.name.startswith("uvicorn")}

    assert said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 200 "))
    assert told <= {logging.DEBUG, logging.INFO}
    assert logging.DEBUG in told


async def test_a_failure_of_ours_is_still_told(caplog: pytest.LogCaptureFixture) -> None:
    protocol = EventHttp(
        uvicorn.Config(application, log_config=None), uvicorn.server.ServerState(), {}
    )
    protocol.logger.error("Exception in ASGI application")

    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_above_its_descriptors_a_connection_is_turned_away() -> None:
    makes = functools.partial(EventHttp, descriptors=0)
    config = uvicorn.Config(application, http=makes, log_config=None)  # type: ignore[arg-type]
    state = uvicorn.server.ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: makes(config, state, {}), "127.0.0.1", 0
    )
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        async with asyncio.timeout(20):
            said = await reader.read()
        writer.close()
    assert said.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in said
