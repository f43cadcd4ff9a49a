"""``GET /v1/events/stream``: server-sent events (WHATWG HTML, 9.2), which resume by Last-Event-ID."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from trunkline.events.bindings import Binding
from trunkline.live.deps import LiveDeps
from trunkline.live.http.addresses import TooManyOfAddress
from trunkline.live.http.asgi import Headers, Message, Receive, Scope, Send, header
from trunkline.live.http.frames import chunk
from trunkline.live.http.heartbeat import Heartbeat
from trunkline.live.http.kernel_buffer import keep_little
from trunkline.live.http.origin import origin_allowed
from trunkline.live.http.protocol import EventHttp, lent
from trunkline.live.hub.hub import Client, Hub
from trunkline.live.hub.usage import TooManyConnections, TooManySubscriptions, Usage
from trunkline.live.hub.wire import Encoding
from trunkline.store.ports.apps import ApiKey
from trunkline.work.refused import Refused

log = structlog.get_logger()

PATH = "/v1/events/stream"
SCOPE = "events:read"

_RETRY = chunk(b"retry: 1000\n\n")
_KEEP_ALIVE = chunk(b": keep-alive\n\n")
_LAST_CHUNK = b"0\r\n\r\n"
_SILENT_BEATS = 3
_SHUTDOWN_SECONDS = 2.0
_HEADERS: Headers = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
)
_ALLOW: Headers = ((b"allow", b"GET, HEAD"),)
_SHOWN = b"X-Request-Id, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate"
_DEAD_MILLISECONDS = 60_000


class _WrongMethod(Refused):
    """The stream is only read."""


class StreamRequest(msgspec.Struct, frozen=True):
    """A request that was admitted and understood."""

    key: ApiKey
    bindings: tuple[Binding, ...]
    after: int | None


class EventStreams:
    """The ASGI handler of the stream, and all that are open."""

    def __init__(self, deps: LiveDeps, hub: Hub) -> None:
        self.deps, self.hub = deps, hub
        self.closed = False
        self._checks: dict[str, asyncio.Task[None]] = {}
        self.open: Heartbeat[EventStream] = Heartbeat(
            deps.limits.keep_alive_seconds, EventStream.beat
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        send = _with_headers(send, self._cors(scope))
        try:
            request = await self._admitted(scope)
            if scope["method"] == "GET":
                await self._stream(request, scope, receive, send)
            else:
                await self._start(scope, send)
                await send({"type": "http.response.body", "body": b""})
        except _WrongMethod as refused:
            await self.deps.refuse(scope, _with_headers(send, _ALLOW), refused)
        except Refused as refused:
            await self.deps.refuse(scope, send, refused)

    def __len__(self) -> int:
        return len(self.open)

    def recheck(self, key: ApiKey) -> None:
        """End the key's streams if it is not good any more; calls meanwhile wait for the same look."""
        if key.id not in self._checks:
            task = asyncio.get_running_loop().create_task(self._recheck(key))
            self._checks[key.id] = task
            task.add_done_callback(lambda _: self._checks.pop(key.id, None))

    async def _recheck(self, key: ApiKey) -> None:
        try:
            good = await self.deps.still_good(key)
        except Exception as error:  # the database, most likely: the next beat asks again
            log.warning("live.key_not_checked", key_id=key.id, error=repr(error))
            return
        if not good:
            for stream in self.open.members():
                stream.end_if(key)

    def close(self) -> None:
        """End every stream, and begin none: clients come back and resume."""
        self.closed = True
        for stream in self.open.members():
            stream.shutdown()

    async def _admitted(self, scope: Scope) -> StreamRequest:
        if scope["method"] not in ("GET", "HEAD"):
            raise _WrongMethod("method_not_allowed", "GET it.")
        self._refuse_if_closed()
        key = await self.deps.admit(scope, SCOPE)
        self._refuse_if_closed()
        return StreamRequest(key, *self.deps.read_request(scope))

    def _refuse_if_closed(self) -> None:
        if self.closed:
            raise Refused("unavailable", "The server is stopping.", 1)

    async def _stream(
        self, request: StreamRequest, scope: Scope, receive: Receive, send: Send
    ) -> None:
        stream = EventStream(self, scope, request)
        try:
            await self._start(scope, send)
            await stream.begin(request)
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            stream.closed()

    async def _start(self, scope: Scope, send: Send) -> None:
        headers = [*_HEADERS, *self.deps.answer_headers(scope)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    def _cors(self, scope: Scope) -> Headers:
        """A page of an allowed origin may read the answer; preflights are the HTTP door's."""
        origin, host = header(scope, b"origin"), header(scope, b"host")
        if origin is None or not origin_allowed(origin, host, self.deps.cors_origins):
            return ()
        allowed = b"*" if "*" in self.deps.cors_origins else origin.encode("latin-1")
        shown = (b"access-control-expose-headers", _SHOWN)
        return ((b"access-control-allow-origin", allowed), shown, (b"vary", b"Origin"))


class EventStream:
    """One stream: the hub writes its events to it, and it to the connection's transport."""

    __slots__ = (
        "_client",
        "_gone",
        "_key",
        "_left",
        "_protocol",
        "_room",
        "_silent",
        "_stall",
        "_streams",
        "_transport",
        "write",
    )

    once = True
    encoding = Encoding.SSE
    write: Callable[[Any], None]

    def __init__(self, streams: EventStreams, scope: Scope, request: StreamRequest) -> None:
        """Raises Refused when the key has too many streams, or bindings on them."""
        self._streams, self._key = streams, request.key
        self._protocol, self._transport = lent(scope)
        _count(self._protocol, streams.hub.usage, request.key.id, len(request.bindings))
        client = streams.hub.client(self)
        self._client: Client | None = client
        self._gone = client.gone
        self._room: asyncio.Future[None] | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._silent = self._left = 0
        self.write = self._transport.write

    async def begin(self, request: StreamRequest) -> None:
        """Subscribe; the answer's head has been sent."""
        if self._transport.is_closing() or self._client is None:
            return
        self._protocol.stream = self
        _give_up_dead_peers(self._transport)
        keep_little(self._transport)
        self.write(_RETRY)
        self._streams.open.add(self)
        account_id, key_id = self._key.account_id, self._key.id
        try:
            await self._client.subscribe(account_id, request.bindings, request.after, key_id)
        except TooManySubscriptions:
            self._end()
        except Exception:
            log.exception("live.stream_failed", account_id=account_id)
            self._end()

    def buffered(self) -> int:
        return self._transport.get_write_buffer_size()

    def fell_behind(self, resume: int) -> None:
        self._end(f"too slow: resume after {resume}")

    async def room(self) -> None:
        while self._room is not None:
            await asyncio.shield(self._room)

    def failed(self) -> None:
        self._end()

    def congested(self) -> None:
        if self._room is None:
            self._room = asyncio.get_running_loop().create_future()
        if self._client is not None:
            self._client.congested()

    def flowing(self) -> None:
        self._release()
        if self._client is not None:
            self._client.flowing()

    def shutdown(self) -> None:
        self._end(seconds=_SHUTDOWN_SECONDS)

    def beat(self) -> None:
        """Send a comment, and have the key checked; drop a peer that takes nothing."""
        left, before = self.buffered(), self._left
        self._left = left
        taken = self._room is None or left < before
        self._silent = 0 if taken else self._silent + 1
        if self._silent >= _SILENT_BEATS:
            self._transport.abort()
        else:
            if self._room is None:
                self.write(_KEEP_ALIVE)
            self._streams.recheck(self._key)

    def end_if(self, key: ApiKey) -> None:
        if key.id == self._key.id:
            self._end("the key is good no more")

    def closed(self) -> None:
        """The connection is over, or its request; doing it again does nothing."""
        self._forget()
        self._gone()
        self._release()
        if self._stall is not None:
            self._stall.cancel()
        if self._protocol.stream is self:
            self._protocol.stream = None

    def _end(self, why: str = "", seconds: float | None = None) -> None:
        """End the body, and close once the peer has taken it, or some seconds later."""
        if self._client is not None:
            self.write((chunk(f": {why}\n\n".encode()) if why else b"") + _LAST_CHUNK)
        self._forget()
        self._transport.close()
        if self._stall is not None:
            self._stall.cancel()
        wait = self._streams.deps.limits.stall_seconds if seconds is None else seconds
        self._stall = asyncio.get_running_loop().call_later(wait, self._transport.abort)

    def _forget(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()
            self._streams.open.remove(self)
            self._streams.hub.usage.disconnect(self._key.id)

    def _release(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.set_result(None)


def _count(protocol: EventHttp, usage: Usage, key_id: str, bindings: int) -> None:
    try:
        usage.check_subscriptions(key_id, bindings)
        protocol.sign_in()
        usage.connect_stream(key_id)
    except (TooManyConnections, TooManyOfAddress, TooManySubscriptions) as refused:
        told = str(refused).replace("app", "key")
        raise Refused("rate_limited", f"{told[0].upper()}{told[1:]}.", 1) from None


def _with_headers(send: Send, headers: Headers) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *headers]}
        await send(message)

    return sent


def _give_up_dead_peers(transport: asyncio.Transport) -> None:
    """Nothing answers a comment, so TCP has to notice that nobody takes it (RFC 5482)."""
    connection = transport.get_extra_info("socket")
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_MILLISECONDS)
