"""Connections that never get to the point: heads without an end, and clients that say nothing."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import random
import re
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.middleware.proxy_headers import _TrustedHosts

from trunkline.live.http import protocol as http
from trunkline.live.http.addresses import Addresses
from trunkline.live.http.protocol import EventHttp, HttpRules

from ..conftest import until

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


@contextlib.asynccontextmanager
async def serving(rules: HttpRules | None = None, **config: Any) -> AsyncIterator[int]:
    """A server's port."""
    made = uvicorn.Config(
        application,
        port=0,
        http=functools.partial(EventHttp, rules=rules),  # type: ignore[arg-type]
        log_config=None,
        lifespan="off",
        **config,
    )
    server = uvicorn.Server(made)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving() as one:
        yield one


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


POST = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
HASTY = HttpRules(request_seconds=0.2)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([], b""),
        ([b"\r\n"], b""),
        ([START], b"HTTP/1.1 408 "),
        ([POST + b"Content-Length: 5\r\n\r\nab"], b"HTTP/1.1 408 "),
        ([POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"], b"HTTP/1.1 408 "),
    ],
)
async def test_who_does_not_finish_is_let_go(parts: list[bytes], said: bytes) -> None:
    async with serving(HASTY) as port:
        assert (await answered(port, *parts)).startswith(said)


async def dripped(port: int, head: bytes, piece: bytes, pieces: int, pause: float) -> bytes:
    """What is answered to a body that comes bit by bit."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(reader.read())
    try:
        writer.write(head)
        for _ in range(pieces):
            if not answer.done():
                writer.write(piece)
                await asyncio.sleep(pause)
        async with asyncio.timeout(20):
            return await answer
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


async def test_a_body_that_drips_is_let_go_and_one_that_comes_on_is_not() -> None:
    head = POST + b"Content-Length: %d\r\n\r\n"
    async with serving(HASTY) as port:
        slow, fast = await asyncio.gather(
            dripped(port, head % 100, b"a", 100, 0.1),
            dripped(port, head % 81920, b"a" * 4096, 20, 0.05),  # five times its time
        )
    assert slow == b"reset" or slow.startswith(b"HTTP/1.1 408 ")
    assert fast.endswith(b"9999")


async def test_between_requests_a_connection_has_another_time() -> None:
    async with serving(HASTY, timeout_keep_alive=20) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(START + b"\r\n")
            async with asyncio.timeout(20):
                assert b"200" in await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(4)
            await asyncio.sleep(0.5)
        writer.close()


async def big(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(100):
        await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})


async def test_who_takes_nothing_of_an_answer_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "STALL_SECONDS", 0.2)
    config = uvicorn.Config(big, log_config=None)
    state = uvicorn.server.ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: EventHttp(config, state, {}), "127.0.0.1", 0
    )
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(START + b"\r\n")
        await until(lambda: state.connections)
        await until(lambda: not state.connections)
        writer.close()


async def first_word(port: int, *headers: str, address: str = "127.0.0.1") -> tuple[Any, bytes]:
    """(the connection, which stays open, and the first line of what is answered to one request)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    with contextlib.suppress(ConnectionError):
        writer.write(("\r\n".join(("GET / HTTP/1.1", "Host: a", *headers)) + "\r\n\r\n").encode())
    async with asyncio.timeout(20):
        return writer, (await reader.readline())[9:12]


async def opened(port: int, number: int, *headers: str, address: str = "127.0.0.1") -> list[bytes]:
    """What each of so many that are open together is answered."""
    every = [await first_word(port, *headers, address=address) for _ in range(number)]
    for writer, _ in every:
        writer.close()
    return [said for _, said in every]


async def test_an_address_has_so_many_connections_and_another_one_has_its_own() -> None:
    """Who has waited longest without a request gives way to a newcomer; who waits for an answer does not."""
    addresses = Addresses(3)
    async with waiting_server(HttpRules(addresses=addresses)) as (port, go_on):
        silent = await asyncio.open_connection("127.0.0.1", port)
        asked = [asyncio.create_task(first_word(port)) for _ in range(2)]
        await until(lambda: addresses.counts[False].total() == 3 and len(addresses._idle) == 1)
        asked.append(asyncio.create_task(first_word(port)))
        async with asyncio.timeout(20):
            assert await silent[0].read() == b""
        await until(lambda: addresses.counts[False].total() == 3 and not addresses._idle)
        assert await opened(port, 2) == [b"429"] * 2
        other = asyncio.create_task(first_word(port, address="127.0.0.2"))
        go_on.set()
        assert (await other)[1] == b"200"
        for each in asked:
            writer, said = await each
            assert said == b"200"
            writer.close()
        assert await opened(port, 3) == [b"200"] * 3
    assert addresses.refused >= 3


@contextlib.asynccontextmanager
async def waiting_server(rules: HttpRules) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """(its port, what its answers wait for)."""
    go_on = asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        await application(scope, receive, send)

    config = uvicorn.Config(waits, log_config=None)
    state = uvicorn.server.ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: EventHttp(config, state, {}, rules=rules), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1], go_on
        await until(lambda: not state.connections)
    counts = rules.addresses
    assert not counts.counts[False]
    assert not counts._idle
    assert not counts._idle_of


async def test_behind_a_proxy_the_address_that_it_tells_counts() -> None:
    addresses = Addresses(2)
    rules = HttpRules(addresses=addresses, proxies=_TrustedHosts("127.0.0.1"))
    async with waiting_server(rules) as (port, go_on):
        one, other = "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 10.0.0.1, 192.0.2.2"
        waiting = []
        for client in (one, one, other, other):
            waiting.append(asyncio.create_task(first_word(port, client)))
            await until(lambda: addresses.counts[False].total() == len(waiting))
        assert await opened(port, 1, one) == [b"429"]
        await until(lambda: set(addresses.counts[False]) == {"192.0.2.1", "192.0.2.2"})
        # who is no proxy may say what he likes: these are two of his own
        liar = "127.0.0.2"
        waiting += [
            asyncio.create_task(first_word(port, f"X-Forwarded-For: 192.0.2.{n}", address=liar))
            for n in (8, 9)
        ]
        await until(lambda: addresses.counts[False][liar] == 2 and not addresses._idle)
        assert await opened(port, 1, "X-Forwarded-For: 192.0.2.7", address=liar) == [b"429"]
        go_on.set()
        for each in waiting:
            writer, said = await each
            assert said == b"200"
            writer.close()


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
    async with serving(HttpRules(descriptors=0)) as port:
        said = await answered(port)
    assert said.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in said


def request(target: str = "/", *headers: str, version: str = "1.1") -> bytes:
    lines = (f"GET {target} HTTP/{version}", *headers, "Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


HOSTS = [
    "a",
    "phone.example.com",
    "phone.example.com.:8080",
    "A_b-c.example:1",
    "127.0.0.1:65535",
    "[::1]",
    "[2001:DB8::1]:443",
]
NO_HOSTS = [
    "",
    " ",
    "a b",
    "a,b",
    "a/b",
    "user@a",
    "user:password@a",
    "a:",
    "a:0",
    "a:65536",
    "a:x",
    "a:80:80",
    "a..b",
    ".a",
    "-a",
    "a-",
    "999.1.1.1",
    "127.1",
    "::1",
    "[::1",
    "[::1]x",
    "[gg::1]",
    "[::1%25eth0]",
    "a%41",
    "a\x00b",
    "http://a",
    "ä.example",
    "x" * 64,
    ".".join(["x" * 60] * 5),
    "x." * 5000,
]


@pytest.mark.parametrize("host", HOSTS)
async def test_a_host_that_is_one(port: int, host: str) -> None:
    assert (await answered(port, request("/", f"Host: {host}")))[9:12] == b"200"


@pytest.mark.parametrize("host", NO_HOSTS)
async def test_a_host_that_is_none(port: int, host: str) -> None:
    assert (await answered(port, request("/", f"Host: {host}")))[9:12] == b"400"


@pytest.mark.parametrize(
    ("headers", "version", "status"),
    [
        ([], "1.1", b"400"),
        (["Host: a", "Host: a"], "1.1", b"400"),
        (["Host: a", "host: b"], "1.1", b"400"),
        (["Host: a", "Host: a"], "1.0", b"400"),
        (["Host: a"], "2.0", b"400"),
        (["Host: a"], "0.9", b"400"),
        ([], "1.0", b"200"),  # as health checks of HAProxy ask
    ],
)
async def test_a_request_has_one_host(
    port: int, headers: list[str], version: str, status: bytes
) -> None:
    assert (await answered(port, request("/", *headers, version=version)))[9:12] == status


@pytest.mark.parametrize(
    "target", ["http://a/", "http://a@b/", "https://a:80/x", "a", "*", "/#x", "/x#", "//#", "?x"]
)
async def test_a_target_is_a_path(port: int, target: str) -> None:
    assert (await answered(port, request(target, "Host: a")))[9:12] == b"400"


async def test_what_is_wrong_is_told(port: int) -> None:
    assert b"One Host is to be sent" in await answered(port, request())
    assert b"target is to be a path" in await answered(port, request("http://a/", "Host: a"))


async def test_a_socket_is_refused_likewise(port: int) -> None:
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    said = await answered(port, request("/", "Host: a", "Host: b", *upgrade, key))
    assert said[9:12] == b"400"


async def test_other_hosts_than_ours_are_refused_where_that_is_set() -> None:
    hosts = frozenset({"phone.example.com", "*.example.org", "::1"})
    said = {}
    async with serving(HttpRules(hosts=hosts)) as port:
        for host in (
            "phone.example.com",
            "PHONE.example.com:8080",
            "a.b.example.org",
            "[0:0::1]:80",
            "example.org",
            "evil.phone.example.com",
            "127.0.0.1",
        ):
            said[host] = (await answered(port, request("/", f"Host: {host}")))[9:12]
    assert list(said.values()) == [b"200"] * 4 + [b"400"] * 3


@contextlib.asynccontextmanager
async def served_by(app: Any) -> AsyncIterator[tuple[int, uvicorn.server.ServerState]]:
    """(the port of this application, what uvicorn knows of its connections)."""
    config, state = uvicorn.Config(app, log_config=None), uvicorn.server.ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: EventHttp(config, state, {}), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1], state


CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"


async def test_trailers_are_no_headers() -> None:
    """A proxy sets X-Forwarded-For and looks at Authorization; what follows the body it may pass on unread."""
    seen: list[Any] = []

    async def sees(scope: Any, receive: Any, send: Any) -> None:
        await application(scope, receive, send)
        seen.extend(scope["headers"])

    trailers = b"Authorization: Bearer x\r\nX-Forwarded-For: 192.0.2.1\r\nHost: b\r\n\r\n"
    async with served_by(sees) as (port, _):
        said = await answered(port, CHUNKED + b"\r\n1\r\na\r\n0\r\n" + trailers)
    assert said.endswith(b"0001")
    assert [name for name, _ in seen] == [b"host", b"connection", b"transfer-encoding"]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (CHUNKED, b"200"),
        (CHUNKED.replace(b"chunked", b"Chunked"), b"200"),
        (CHUNKED.replace(b"chunked", b"gzip, chunked"), b"400"),
        (CHUNKED.replace(b"chunked", b"chunked, chunked"), b"400"),
        (CHUNKED.replace(b"1.1", b"1.0"), b"400"),
        (CHUNKED.replace(b"1.1", b"1.0").replace(b"close", b"keep-alive"), b"400"),
    ],
)
async def test_a_body_has_one_coding(port: int, head: bytes, status: bytes) -> None:
    assert (await answered(port, head + b"\r\n1\r\na\r\n0\r\n\r\n"))[9:12] == status


async def test_a_head_that_comes_in_one_piece_has_its_size_too(port: int) -> None:
    for head in (
        request("/" + "x" * 70_000, "Host: a"),
        request("/", "Host: a", "X: " + "x" * 70_000),
    ):
        said = await answered(port, head)
        assert said == b"reset" or said[9:12] in (b"400", b"431")


async def test_each_request_of_a_connection_that_is_gone_learns_so() -> None:
    """Of several, sent one behind the other, uvicorn tells the last one; the first may wait for ever."""
    came, over = [], []

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        came.append(scope["path"])
        while (await receive())["type"] != "http.disconnect":
            pass
        over.append(scope["path"])

    async with served_by(waits) as (port, state):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        for path in ("/1", "/2", "/3"):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await until(lambda: came)
        writer.transport.abort()
        await until(lambda: over == ["/1"])
        await until(lambda: not state.tasks)
    assert came == ["/1"]


async def test_who_goes_amid_many_answers_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async with served_by(big) as (port, state):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write((START + b"\r\n") * 20)
        await until(lambda: state.tasks)
        writer.transport.abort()
        await until(lambda: not state.connections and not state.tasks)
    assert not [record for record in caplog.records if "Exception in ASGI" in record.message]


async def test_a_socket_is_not_asked_for_behind_another_request() -> None:
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    lines = "\r\n".join(("GET / HTTP/1.1", "Host: a", *upgrade, key, "", "")).encode()
    rules = HttpRules(addresses=Addresses(3))
    async with waiting_server(rules) as (port, go_on):
        answers = asyncio.create_task(answered(port, START + b"\r\n" + lines))
        await until(lambda: read_ahead())
        go_on.set()
        said = await answers
    assert b"A WebSocket is asked for once all else is answered" in said


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_a_socket_of_ipv6_knows_who_comes_by_ipv4() -> None:
    """Else no proxy would be believed there, and all whom it forwards for be counted as one."""
    seen: list[str] = []

    async def sees(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])
        await application(scope, receive, send)

    config = uvicorn.Config(sees, log_config=None)
    config.load()
    addresses = Addresses(3)
    rules = HttpRules(addresses=addresses, proxies=_TrustedHosts("127.0.0.1"))
    both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    server = await asyncio.get_running_loop().create_server(
        lambda: EventHttp(config, uvicorn.server.ServerState(), {}, rules=rules), sock=both
    )
    async with server:
        port = server.sockets[0].getsockname()[1]
        plain = request("/", "Host: a")
        forwarded = request("/", "Host: a", "X-Forwarded-For: 192.0.2.1")
        assert {(await answered(port, each))[9:12] for each in (plain, forwarded)} == {b"200"}
    assert seen == ["127.0.0.1", "192.0.2.1"]


async def test_few_requests_are_read_ahead_of_their_answers() -> None:
    """Each takes kilobytes: twenty connections had 290 MB of requests, and all others waited for four seconds."""
    asked = 8000
    rules = HttpRules(addresses=Addresses(3))
    async with waiting_server(rules) as (port, go_on):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost:a\r\n\r\n" * asked)
        await until(lambda: read_ahead())
        assert read_ahead() < 300
        go_on.set()
        async with asyncio.timeout(60):
            for _ in range(asked):
                assert b"200" in await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(4)
        writer.close()


def read_ahead() -> int:
    """How many requests all connections have that wait for their answers."""
    every = (each for each in gc.get_objects() if type(each) is EventHttp)
    return sum(len(each._requests) for each in every)


async def test_a_head_has_so_many_headers(port: int) -> None:
    """300 heads of 9,500 headers that were never whole took 320 MB."""
    some, many = (request("/", "Host: a", *["X: a"] * number) for number in (190, 300))
    assert (await answered(port, some))[9:12] == b"200"
    said = await answered(port, many)
    assert said[9:12] == b"400"
    assert b"200 headers at most" in said
    assert (await answered(port, many.rstrip()))[9:12] == b"400"  # it need not be whole


BAD = request("nowhere", "Host: a")
BAD_CHUNK = CHUNKED + b"\r\n1\r\na\r\nz\r\n"
LARGE = START + b"X: " + b"x" * 70_000


@pytest.mark.parametrize("wrong", [BAD, BAD_CHUNK, LARGE], ids=["head", "chunk", "size"])
async def test_what_is_wrong_is_told_behind_the_answers_before_it(wrong: bytes) -> None:
    """Else the client takes it for the answer to its first request."""
    async with waiting_server(HttpRules(addresses=Addresses(3))) as (port, go_on):
        answers = asyncio.create_task(answered(port, (START + b"\r\n") * 20 + wrong))
        await until(lambda: read_ahead())
        go_on.set()
        said = await answers
    statuses = [part[:3] for part in said.split(b"HTTP/1.1 ")[1:]]
    assert statuses in ([b"200"] * 20 + [b"400"], [b"200"] * 20 + [b"431"])


LAST = request("/", "Host: a")


def kept(*lines: str) -> bytes:
    """The head of a request, whose connection stays."""
    return START + "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


WANTS_HTTP_2 = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA")


@pytest.mark.parametrize("size", [0, 5, 9000])
async def test_who_wants_another_protocol_is_answered_in_ours(port: int, size: int) -> None:
    """As Java's client does: its bodies got lost, or were read as requests."""
    head = kept(*WANTS_HTTP_2, f"Content-Length: {size}")
    for parts in ([head + b"b" * size + LAST], [head, b"b" * size, LAST]):
        said = await answered(port, *parts)
        assert [said[at : at + 4] for at in ends(said)] == [b"%04d" % size, b"0000"]
    smuggling = kept(*WANTS_HTTP_2, f"Content-Length: {len(LAST)}")
    assert len(ends(await answered(port, smuggling, LAST, LAST))) == 2


def ends(said: bytes) -> list[int]:
    """Where the bodies of these answers begin."""
    assert said.count(b"HTTP/1.1 200 OK") == said.count(b"\r\n\r\n"), said
    return [found.end() for found in re.finditer(b"\r\n\r\n", said)]


async def test_there_is_no_tunnel(port: int) -> None:
    said = await answered(port, LAST.replace(b"GET", b"CONNECT"))
    assert said[9:12] == b"400"


@pytest.mark.parametrize("seed", range(8))
async def test_requests_that_come_in_any_pieces_are_answered_in_their_order(
    port: int, seed: int
) -> None:
    rnd = random.Random(seed)
    asked, sizes = b"", [rnd.choice([0, 1, 10, 4095, 4097, 8999]) for _ in range(60)]
    for size in sizes:
        asked += (
            kept(f"Content-Length: {size}") + b"b" * size
            if rnd.random() < 0.5
            else kept("Transfer-Encoding: chunked") + chunked(rnd, size)
        )
    asked += LAST
    pieces = []
    while asked:
        length = rnd.choice([1, 100, 4096, 5000, 100_000])
        pieces.append(asked[:length])
        asked = asked[length:]
    said = await answered(port, *pieces)
    assert [int(said[at : at + 4]) for at in ends(said)] == [*sizes, 0]


def chunked(rnd: random.Random, size: int) -> bytes:
    chunks = b""
    while size:
        part = rnd.randint(1, size)
        chunks += b"%x\r\n%s\r\n" % (part, b"c" * part)
        size -= part
    return chunks + b"0\r\n" + rnd.choice([b"", b"X: x\r\n"]) + b"\r\n"
