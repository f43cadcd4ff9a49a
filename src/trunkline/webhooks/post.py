"""Posts webhooks: resolves the name once, checks every address, and connects to exactly those.

Each request has a connection of its own, so none ever travels over one that another endpoint's check
has let through. Nothing is taken from the environment (no proxy, no netrc), no redirect is followed,
no answer is unpacked.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore
import httpx
import structlog

from trunkline.delivery.webhook import Attempt
from trunkline.webhooks.addresses import Addresses
from trunkline.webhooks.bounded_stream import BoundedStream
from trunkline.webhooks.port import UrlRefused
from trunkline.webhooks.target import Target, parse

ANSWER_READ = 64 * 1024
ANSWER_KEPT = 4 * 1024
_ERROR_LENGTH = 200
_RETRY_AFTER_LENGTH = 64
_LOOK_UPS = 8

log = structlog.get_logger()

_FORESEEN = (
    UrlRefused,
    OSError,
    UnicodeError,
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> its addresses, best first; raises OSError."""


class SystemResolver:
    """The machine's own resolver, in threads of its own, so that a slow look-up holds up nothing else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOK_UPS, thread_name_prefix="trunkline-webhook-dns")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return list(dict.fromkeys(str(address[0]) for *_, address in found))


class HttpPost:
    """``webhooks.port.Post`` over HTTP/1.1. ``timeout`` is in seconds, for all of a request."""

    def __init__(
        self,
        addresses: Addresses,
        clock: Callable[[], int],
        *,
        timeout: float = 15.0,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._addresses = addresses
        self._clock = clock
        self._timeout = timeout
        self._resolve = resolve or SystemResolver()
        self._tls = tls or _trusting_the_machine()

    async def check(self, url: str) -> None:
        target = parse(url)
        try:
            async with asyncio.timeout(self._timeout):
                await self._checked(target)
        except (OSError, UnicodeError):  # TimeoutError is one
            return

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        trial = _Trial(self._clock())
        try:
            async with asyncio.timeout(self._timeout):
                await self._try(trial, parse(url), headers, body)
        except TimeoutError:
            trial.went_wrong(f"{trial.doing} took over {self._timeout:g} s")
        except _FORESEEN as error:
            trial.went_wrong(f"{trial.doing} failed: {_words(error)}")
        except Exception as error:
            log.exception("webhook.attempt_broke")
            trial.went_wrong(f"{trial.doing} failed: {type(error).__name__}")
        return trial.attempt()

    async def _try(
        self, trial: _Trial, target: Target, headers: Mapping[str, str], body: bytes
    ) -> None:
        addresses = await self._checked(target)
        trial.resolved()
        backend = _Pinned(addresses, trial, self._timeout)
        pool = httpcore.AsyncConnectionPool(
            ssl_context=self._tls, max_keepalive_connections=0, network_backend=backend
        )
        async with pool, pool.stream(**_request(target, headers, body, trial)) as answer:
            trial.status = answer.status
            trial.retry_after = _header(answer.headers, b"retry-after")
            async for piece in answer.aiter_stream():
                if not trial.take(piece):
                    break

    async def _checked(self, target: Target) -> Sequence[str]:
        """The host's addresses, all of them allowed; raises UrlRefused for the first that is not."""
        addresses = await self._resolve(target.host, target.port)
        for address in addresses:
            target.check(address, self._addresses)
        if not addresses:
            raise OSError("the name has no address")
        return addresses


def _request(
    target: Target, headers: Mapping[str, str], body: bytes, trial: _Trial
) -> dict[str, Any]:
    sent = {
        "host": target.authority,
        **headers,
        "content-length": str(len(body)),
        "accept": "*/*",
        "connection": "close",
    }
    return {
        "method": b"POST",
        "url": httpcore.URL(
            scheme=target.scheme.encode(),
            host=target.host.encode(),
            port=target.port,
            target=target.path.encode(),
        ),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "content": body,
        "extensions": {"trace": trial.trace},
    }


class _Trial:
    """What an attempt has come to so far."""

    def __init__(self, at: int) -> None:
        self._at = at
        self._started = self._since = time.perf_counter()
        self._parts: dict[str, float] = {}
        self._error = ""
        self._answer = bytearray()
        self.doing = "resolving the name"
        self.address = ""
        self.status: int | None = None
        self.retry_after = ""

    def resolved(self) -> None:
        self._done("resolve")
        self.doing = "connecting"

    async def trace(self, name: str, _info: Mapping[str, Any]) -> None:
        """httpcore calls it with each step that it takes."""
        if name == "connection.connect_tcp.complete":
            self._done("connect")
            self.doing = "the TLS handshake"
        elif name == "connection.start_tls.complete":
            self._done("tls")
        elif name == "http11.send_request_headers.started":
            self._since = time.perf_counter()
            self.doing = "the answer"
        elif name == "http11.receive_response_headers.complete":
            self._done("first_byte")

    def take(self, piece: bytes) -> bool:
        """Take a piece of the answer's body; False when there is enough of it."""
        self._answer += piece
        return len(self._answer) < ANSWER_READ

    def went_wrong(self, error: str) -> None:
        """A status that has come already counts all the same: the endpoint has answered."""
        if self.status is None:
            self._error = error[:_ERROR_LENGTH]

    def attempt(self) -> Attempt:
        return Attempt(
            at=self._at,
            resolve_ms=self._parts.get("resolve"),
            connect_ms=self._parts.get("connect"),
            tls_ms=self._parts.get("tls"),
            first_byte_ms=self._parts.get("first_byte"),
            total_ms=_ms(self._started),
            address=self.address,
            status=self.status,
            error=self._error,
            answer=bytes(self._answer[:ANSWER_KEPT]),
            retry_after=self.retry_after,
        )

    def _done(self, part: str) -> None:
        self._parts[part] = _ms(self._since)
        self._since = time.perf_counter()


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked, whatever the host's name leads to by now."""

    def __init__(self, addresses: Sequence[str], trial: _Trial, timeout: float) -> None:
        self._addresses = addresses
        self._trial = trial
        self._share = timeout / len(addresses)
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - it has been resolved
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the request has one, over all
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        for address in self._addresses[:-1]:
            try:
                return await self._connect(address, port, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._connect(self._addresses[-1], port, local_address, socket_options)

    async def _connect(
        self, address: str, port: int, local: str | None, options: Iterable[Any] | None
    ) -> httpcore.AsyncNetworkStream:
        self._trial.address = address
        made = await self._inner.connect_tcp(
            address, port, timeout=self._share, local_address=local, socket_options=options
        )
        return BoundedStream(made)


def _trusting_the_machine() -> ssl.SSLContext:
    """The machine's certificate store; certifi's where the machine has none."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        return ssl.create_default_context()
    return httpx.create_ssl_context(trust_env=False)


def _header(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> str:
    values = (value for name, value in headers if name.lower() == wanted)
    return next(values, b"").decode("latin-1")[:_RETRY_AFTER_LENGTH]


def _words(error: BaseException) -> str:
    """The cause at the bottom of it, for people."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not good: {error.verify_message}"
    if isinstance(error, ssl.SSLError | socket.gaierror):
        return error.strerror or str(error)
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)  # asyncio's own words name the address
    return str(error) or type(error).__name__


def _ms(since: float) -> float:
    return round((time.perf_counter() - since) * 1000, 3)
