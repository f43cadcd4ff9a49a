"""Posting, to real receivers: where it goes, what it takes, what it tells."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from trunkline.webhooks.addresses import Addresses
from trunkline.webhooks.port import UrlRefused
from trunkline.webhooks.post import ANSWER_KEPT, HttpPost
from whole.tls import certificate

from .receiver import Got, hangs, raves, receiving, resets, says

LOOPBACK = Addresses(["127.0.0.0/8"])
HEADERS = {"webhook-id": "evt_1", "content-type": "application/json"}


def now() -> int:
    return time.time_ns() // 1000


def post(addresses: Addresses = LOOPBACK, timeout: float = 5, **more: object) -> HttpPost:
    return HttpPost(addresses, now, timeout=timeout, **more)  # type: ignore[arg-type]


class Names:
    """A resolver that says something else each time it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def test_the_body_and_the_headers_arrive() -> None:
    async with receiving() as receiver:
        receiver.manner = says(201, b"thanks", server="x")
        attempt = await post()(f"http://127.0.0.1:{receiver.port}/a/b?c=%20d", HEADERS, b'{"a":1}')
    (got,) = receiver.got
    assert (got.path, got.body) == ("/a/b?c=%20d", b'{"a":1}')
    assert got.headers["webhook-id"] == "evt_1"
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert (attempt.status, attempt.error, attempt.answer) == (201, "", b"thanks")
    assert (attempt.address, attempt.success) == ("127.0.0.1", True)
    assert attempt.tls_ms is None
    parts = [attempt.resolve_ms, attempt.connect_ms, attempt.first_byte_ms]
    assert all(part is not None for part in parts)
    assert sum(part or 0 for part in parts) <= attempt.total_ms


async def test_each_request_has_its_own_connection() -> None:
    async with receiving() as receiver:
        sender = post()
        for _ in range(3):
            await sender(receiver.url, HEADERS, b"{}")
        assert [got.headers["connection"] for got in receiver.got] == ["close"] * 3


async def test_no_redirect_is_followed() -> None:
    async with receiving() as receiver, receiving() as other:
        receiver.manner = says(307, location=other.url)
        attempt = await post()(receiver.url, HEADERS, b"{}")
    assert (attempt.status, attempt.success, other.got) == (307, False, [])


@pytest.mark.parametrize(
    ("manner", "says_"),
    [
        (hangs, "the answer took over 0.5 s"),
        (resets, "the answer failed: "),
        (raves, "the answer failed: "),
    ],
)
async def test_what_goes_wrong_is_told(manner, says_: str) -> None:
    async with receiving() as receiver:
        receiver.manner = manner
        attempt = await post(timeout=0.5)(receiver.url, HEADERS, b"{}")
    assert attempt.status is None
    assert attempt.error.startswith(says_)
    assert attempt.success is False


async def test_nobody_there() -> None:
    async with receiving() as receiver:
        url = receiver.url
    attempt = await post()(url, HEADERS, b"{}")
    assert attempt.error == "connecting failed: Connection refused"


async def test_an_oversized_answer_is_read_for_a_while_only() -> None:
    written = 0

    async def floods(_: Got, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        for _ in range(10_000):
            writer.write(b"x" * 100_000)
            await writer.drain()
            written += 100_000

    async with receiving() as receiver:
        receiver.manner = floods
        attempt = await post()(receiver.url, HEADERS, b"{}")
    assert (attempt.status, attempt.error, len(attempt.answer)) == (200, "", ANSWER_KEPT)
    assert written < 50_000_000


async def test_a_status_counts_though_the_body_never_ends() -> None:
    async def drips(_: Got, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab")
        await asyncio.sleep(3600)

    async with receiving() as receiver:
        receiver.manner = drips
        attempt = await post(timeout=0.5)(receiver.url, HEADERS, b"{}")
    assert (attempt.status, attempt.error, attempt.answer) == (200, "", b"ab")


async def test_an_unpacked_answer_is_no_bomb() -> None:
    async with receiving() as receiver:
        receiver.manner = says(200, b"\x1f\x8b not unpacked", content_encoding="gzip")
        attempt = await post()(receiver.url, HEADERS, b"{}")
    assert attempt.answer == b"\x1f\x8b not unpacked"


async def test_endless_headers_are_an_error() -> None:
    async def endless(_: Got, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-a: " + b"b" * 5000 + b"\r\n")
            await writer.drain()

    async with receiving() as receiver:
        receiver.manner = endless
        attempt = await post()(receiver.url, HEADERS, b"{}")
    assert (attempt.status, attempt.error[:18]) == (None, "the answer failed:")


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1;" + b"x" * 8000 + b"\r\na\r\n",
        ),
    ],
    ids=["interim answers", "hints", "tiny chunks"],
)
async def test_a_receiver_that_goes_on_and_says_little_is_left(begin: bytes, again: bytes) -> None:
    """For 15 s each of them had kept half of a core busy."""

    async def goes_on(_: Got, writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        while True:
            writer.write(again * 100)
            await writer.drain()

    async with receiving() as receiver:
        receiver.manner = goes_on
        attempt = await post(timeout=20)(f"http://127.0.0.1:{receiver.port}/", HEADERS, b"{}")
    assert attempt.total_ms < 10_000
    assert attempt.status == 200 or "over 256 KiB came" in attempt.error


async def test_retry_after_is_told() -> None:
    async with receiving() as receiver:
        receiver.manner = says(503, Retry_After="7")
        assert (await post()(receiver.url, HEADERS, b"{}")).retry_after == "7"


# ---- Where it may go -----------------------------------------------------------------------------


async def test_a_name_is_resolved_once_and_the_connection_made_to_what_was_checked() -> None:
    """A name that answers otherwise the second time (DNS rebinding) changes nothing."""
    async with receiving() as receiver, receiving() as inside:
        names = Names(["127.0.0.2"], ["127.0.0.1"])
        sender = post(Addresses(["127.0.0.2"]), resolve=names)
        attempt = await sender(f"http://name.example:{receiver.port}/", HEADERS, b"{}")
        assert attempt.address == "127.0.0.2"
        assert attempt.error == "connecting failed: Connection refused"  # it listens on .1 only
        assert (names.asked, receiver.got, inside.got) == (1, [], [])


async def test_public_first_and_private_then_is_refused_then() -> None:
    async with receiving() as receiver:
        names = Names(["127.0.0.1"], ["10.0.0.1"])
        sender = post(resolve=names)
        url = f"http://name.example:{receiver.port}/"
        assert (await sender(url, HEADERS, b"{}")).success
        attempt = await sender(url, HEADERS, b"{}")
    assert attempt.error.startswith("resolving the name failed: 10.0.0.1 is not a public address")
    assert (attempt.address, len(receiver.got)) == ("", 1)


async def test_one_bad_address_of_several_is_enough() -> None:
    async with receiving() as receiver:
        sender = post(resolve=Names(["127.0.0.1", "169.254.169.254"]))
        attempt = await sender(f"http://name.example:{receiver.port}/", HEADERS, b"{}")
    assert ("169.254.169.254 is not a public" in attempt.error, receiver.got) == (True, [])


async def test_the_next_address_is_tried_when_one_refuses() -> None:
    async with receiving() as receiver:
        sender = post(resolve=Names(["127.0.0.3", "127.0.0.1"]))
        attempt = await sender(f"http://name.example:{receiver.port}/", HEADERS, b"{}")
    assert (attempt.success, attempt.address) == (True, "127.0.0.1")
    assert receiver.got[0].headers["host"] == f"name.example:{receiver.port}"


async def test_a_name_without_an_address_is_told() -> None:
    attempt = await post()("https://nothing.invalid/", HEADERS, b"{}")
    assert attempt.error.startswith("resolving the name failed: ")
    nowhere = await post(resolve=Names([]))("https://a.example/", HEADERS, b"{}")
    assert nowhere.error == "resolving the name failed: the name has no address"


@pytest.mark.parametrize(
    ("url", "says_"),
    [
        ("ftp://example.com/", "take a URL such as"),
        ("example.com/hook", "take a URL such as"),
        ("https:///hook", "take a URL such as"),
        ("https://u:p@example.com/", "a user or a password"),
        ("https://u@example.com/", "a user or a password"),
        ("https://example.com/#x", "#fragment"),
        ("https://example.com/a b", "a space"),
        ("https://example.com/\n", "control character"),
        ("https://example.com:0/", "no port 0"),
        ("https://example.com:99999/", "this is not a URL|no port"),
        ("https://" + "a" * 3000, "at most 2048"),
        ("https://[::1/", "this is not a URL"),
        ("http://8.8.8.8/", "take https"),
        ("https://8.8.8.8:25/", "port 25"),
        ("https://127.0.0.1/", "webhook_allow"),
        ("https://[::1]/", "webhook_allow"),
        ("https://2130706433/", "webhook_allow"),
        ("https://0x7f.1/", "webhook_allow"),
        ("https://[::ffff:127.0.0.1]:8443/", "webhook_allow"),
        ("http://169.254.169.254/latest/meta-data/", "webhook_allow"),
        ("https://localhost/", "webhook_allow"),
    ],
)
async def test_urls_that_cannot_be_used_are_refused_at_once_and_at_each_attempt(url, says_) -> None:
    sender = post(Addresses())
    with pytest.raises(UrlRefused, match=says_):
        await sender.check(url)
    attempt = await sender(url, HEADERS, b"{}")
    assert (attempt.status, attempt.address) == (None, "")
    assert attempt.error


@pytest.mark.parametrize(
    "url",
    ["https://8.8.8.8/x?token=1", "https://8.8.8.8:8443/", "https://[2606:4700::1111]/",
     "https://nothing.invalid/hook", "https://bücher.invalid/"],
)  # fmt: skip
async def test_urls_that_can_be_used_pass(url: str) -> None:
    await post(Addresses()).check(url)


async def test_proxies_of_the_environment_are_not_used(monkeypatch) -> None:
    async with receiving() as receiver, receiving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await post()(receiver.url, HEADERS, b"{}")).success
        assert (len(receiver.got), proxy.got) == (1, [])


# ---- TLS -----------------------------------------------------------------------------------------


def server_tls(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    cert, key = certificate(folder)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(cert))


async def test_the_certificate_is_held_against_the_name_and_not_the_address(tmp_path) -> None:
    server, client = server_tls(tmp_path)
    async with receiving(ssl=server) as receiver:
        right = await post(tls=client)(f"https://127.0.0.1:{receiver.port}/", HEADERS, b"{}")
        names = Names(["127.0.0.1"])
        wrong = await post(tls=client, resolve=names)(
            f"https://name.example:{receiver.port}/", HEADERS, b"{}"
        )
        unknown = await post()(f"https://127.0.0.1:{receiver.port}/", HEADERS, b"{}")
    assert right.success
    assert right.tls_ms is not None
    for attempt in (wrong, unknown):
        assert attempt.error.startswith("the TLS handshake failed: the certificate is not good")
    assert len(receiver.got) == 1


async def test_a_receiver_without_tls_is_told(tmp_path) -> None:
    async with receiving() as receiver:
        receiver.manner = raves
        attempt = await post(timeout=0.5)(f"https://127.0.0.1:{receiver.port}/", HEADERS, b"{}")
    assert attempt.error.startswith("the TLS handshake ")
