"""uvicorn's HTTP protocol, which lends its transport to a stream that never ends.

ASGI would have a task wait for each event and each reader. A stream takes what comes from the hub
straight to the transport instead, as prebuilt chunks of the body.

It also holds clients to their manners: how many connections an address has, how long a request may take.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import httptools
from uvicorn.middleware.proxy_headers import _TrustedHosts
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from trunkline.live.http.addresses import Addresses, Place, TooManyOfAddress
from trunkline.live.http.asgi import Receive, Scope, Send
from trunkline.live.http.host import host_of, is_served
from trunkline.live.http.request_time import RequestTime

_LENT = "trunkline.protocol"
PLACE = "trunkline.place"

HEAD_BYTES = 64 * 1024
"""Of a request's head, a chunk's head, or trailers; uvicorn would keep as much as comes."""
_MAPPED = "::ffff:"
"""Before the address of a client that came by IPv4 to a socket of IPv6 (RFC 4291, 2.5.5.2): nobody writes a proxy's so."""
_SLICE = 4096
"""Bytes that are read before it is seen how many requests they were."""
_MOST_AHEAD = 16
"""Requests of a connection that wait behind one another; what comes behind them waits unread."""
MOST_HEADERS = 200
"""A short one takes twenty times its size."""
STALL_SECONDS = 60.0
"""How long a client may take nothing of an answer that waits for it."""


def _refusal(status: bytes, *headers: bytes) -> bytes:
    lines = (b"HTTP/1.1 " + status, *headers, b"content-length: 0", b"connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"


_PLAIN = b"content-type: text/plain; charset=utf-8"
_TOO_LARGE = _refusal(b"431 Request Header Fields Too Large")
_TOO_LATE = _refusal(b"408 Request Timeout")
_TOO_MANY = _refusal(b"429 Too Many Requests", b"retry-after: 1")
_FULL = _refusal(b"503 Service Unavailable", b"retry-after: 1")


class TransportBorrower(Protocol):
    """It writes to a connection's transport by itself, and is told how that one is."""

    def congested(self) -> None:
        """The peer does not take what is written."""

    def flowing(self) -> None:
        """It does again."""

    def closed(self) -> None:
        """The connection is over."""

    def shutdown(self) -> None:
        """The server goes down."""


@dataclass(frozen=True)
class HttpRules:
    """What connections may do. One whose descriptor is not below ``descriptors`` is turned away."""

    descriptors: int = sys.maxsize
    request_seconds: float = 10.0
    """For a whole request, counted from connecting or its beginning; a body that comes on has more."""
    proxies: _TrustedHosts = field(default_factory=lambda: _TrustedHosts(""))
    """Whose X-Forwarded-For is believed: the connections that it sends by are not its own."""
    addresses: Addresses = field(default_factory=Addresses)
    hosts: frozenset[str] = frozenset()
    """What we may be called, in small letters; none: anything."""


class _OfClients(logging.LoggerAdapter[logging.Logger]):
    """What uvicorn warns of is that a client sent no HTTP, or wants another protocol than we speak.

    The client is told. A line for each would let anybody fill the log.
    """

    @property
    def level(self) -> int:
        return self.logger.level

    def warning(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.debug(msg, *args, **kwargs)


class _Flow(FlowControl):
    """uvicorn's, which goes on reading with each answer; ``holds``: there is enough to be answered yet."""

    holds = False

    def resume_reading(self) -> None:
        if not self.holds:
            super().resume_reading()


class EventHttp(HttpToolsProtocol):
    """uvicorn takes it as ``Config(http=…)``."""

    stream: TransportBorrower | None = None
    _unread = 0
    """Bytes since the parser last came to an end of something."""
    _coming: Literal["", "head", "body"] = ""
    """What is not whole yet of the request that has begun."""
    _place: Place | None = None
    """The connection's own; a proxy that forwards has none."""
    _stall: asyncio.TimerHandle | None = None
    _left = 0
    _wrong = ""
    _held = b""
    """What has come, and is read once those before it are answered."""
    _upgraded = False
    _other_protocol = False
    """The request wants another protocol than we speak, which is ignored (RFC 9110, 7.8)."""
    _farewell = b""
    """Our last answer, which waits for those before it."""
    flow: _Flow

    def __init__(self, *args: Any, rules: HttpRules | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rules = rules or HttpRules()
        self._time = RequestTime(self._rules.request_seconds, self._late, self._is_paused)
        self._requests: deque[Place | None] = deque()
        self._cycles: deque[RequestResponseCycle] = deque()
        self._served_by = self.app
        self.logger = _OfClients(self.logger)  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport)
        if self.client and self.client[0].startswith(_MAPPED):
            self.client = (self.client[0].removeprefix(_MAPPED), self.client[1])
        self._time.begin()
        if transport.get_extra_info("socket").fileno() >= self._rules.descriptors:
            self._rules.addresses.let_one_go()
            self._turn_away(_FULL)
            return
        try:
            self._place = self._rules.addresses.enter(self._peer())
        except TooManyOfAddress:
            self._turn_away(_TOO_MANY)
        else:
            self._place.idle(self._let_go)

    def data_received(self, data: bytes) -> None:
        self._held = self._held + data if self._held else data
        self._feed_held()

    def _feed_held(self) -> None:
        """Read what has come, but no more requests than a few ahead of our answers: each takes kilobytes and its time."""
        held, at = self._held, 0
        while at < len(held) and len(self._requests) <= _MOST_AHEAD and not self._is_over():
            self._feed(held[at : at + _SLICE])
            at += _SLICE
        self._held = b"" if self._is_over() else held[at:]
        self.flow.holds = bool(self._held or self._farewell)
        if self.flow.holds:
            self.flow.pause_reading()

    def _is_over(self) -> bool:
        return bool(self._upgraded or self._farewell or self.transport.is_closing())

    def _feed(self, data: bytes) -> None:
        self._unread += len(data)
        self._unset_keepalive_if_required()
        self._parse(data)
        if self._is_over():
            return
        if self._unread > HEAD_BYTES:
            self._turn_away(_TOO_LARGE)
        elif self._unread and not self._time.runs:  # blank lines, which begin nothing
            self._time.begin()

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            wrong = self._wrong or "Invalid HTTP request received."
            self.logger.warning(wrong)
            self.send_400_response(wrong)
        except httptools.HttpParserUpgrade as upgrade:
            if self._other_protocol:
                self._unsupported_upgrade_warning()
                self._parse_anew(data[upgrade.args[0] :])
            else:
                self.handle_websocket_upgrade()

    def _parse_anew(self, rest: bytes) -> None:
        """The parser takes the request for the last one, without a body: the next request would be what its body says."""
        version = self.parser.get_http_version()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version.encode())]
        lines += [b"%s: %s" % each for each in self.headers if each[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        self._parse(b"\r\n".join((*lines, b"", rest)))

    def on_message_begin(self) -> None:
        """Put the protocol into the scope, where `lent` finds it."""
        super().on_message_begin()
        self.scope["extensions"] = {_LENT: self}  # type: ignore[dict-item]
        self._coming = "head"
        self._time.begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers are no headers (RFC 9110, 6.5.1): proxies look at headers alone, and so do we."""
        if self._coming != "head":
            return
        super().on_header(name, value)
        if len(self.headers) > MOST_HEADERS:
            self._wrong = f"A request has {MOST_HEADERS} headers at most."
            raise ValueError(self._wrong)

    def on_headers_complete(self) -> None:
        self._check()
        self._other_protocol = self.parser.should_upgrade() and not self._should_upgrade()
        if self._other_protocol:
            return
        self._unread = 0
        self._coming = "body"
        place = self._place_of_request()
        self.app = self._served_by if place else too_many
        if self.parser.should_upgrade() and self._should_upgrade():
            self.app_state = {**self.app_state, PLACE: place}  # for the WebSocket
            super().on_headers_complete()
        else:
            self._requests.append(place)
            super().on_headers_complete()
            self._cycles.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        self._time.body(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._other_protocol:
            return
        self._unread = 0
        self._coming = ""
        self._time.end()
        if self._place is not None:
            self._place.busy()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self._requests:
            self._leave(self._requests.popleft())
            self._cycles.popleft()
        if self._place is not None and not self._requests:
            self._place.idle(self._let_go)
        if self._farewell and not self._asked_before():
            self._turn_away(self._farewell)
        super().on_response_complete()
        if self._held and len(self._requests) <= _MOST_AHEAD // 2:
            self.loop.call_soon(self._feed_more)

    def _feed_more(self) -> None:
        if self._held:
            self._feed_held()
            self.flow.resume_reading()

    def handle_websocket_upgrade(self) -> None:
        self._time.end()
        self._forget_stall()
        place = self.app_state[PLACE]
        if place is None:
            self._turn_away(_TOO_MANY)
            return
        self._upgraded = True
        place.busy()
        if place is not self._place and self._place is not None:
            self._place.leave()
        self._place = None  # it is the WebSocket's now
        super().handle_websocket_upgrade()

    def sign_in(self) -> None:
        """The request that is answered now showed a good key; raises TooManyOfAddress."""
        if self._requests and (place := self._requests[0]) is not None:
            place.sign_in()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.stream:
            self.stream.congested()
        else:
            self._left = self.transport.get_write_buffer_size()
            self._watch_stall()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget_stall()
        if self.stream:
            self.stream.flowing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._time.end()
        self._forget_stall()
        for place in (*self._requests, self._place):
            if place is not None:
                place.leave()
        self._requests.clear()
        self._held = b""
        super().connection_lost(exc)
        self._tell_all()
        if self.stream:
            self.stream.closed()

    def _tell_all(self) -> None:
        """uvicorn tells only the newest request that its client is gone, and goes on with those that wait behind others."""
        self.pipeline.clear()
        for cycle in self._cycles:
            cycle.disconnected = True
            cycle.message_event.set()
        self._cycles.clear()

    def shutdown(self) -> None:
        if self.stream:
            self.stream.shutdown()
        super().shutdown()

    def send_400_response(self, msg: str) -> None:
        length = b"content-length: %d" % len(msg)
        head = (b"HTTP/1.1 400 Bad Request", _PLAIN, length, b"connection: close", b"", b"")
        self._turn_away(b"\r\n".join(head) + msg.encode())

    # What it asks for.

    def _check(self) -> None:
        self._wrong = self._fault()
        if self._wrong:
            raise ValueError(self._wrong)  # which uvicorn answers with a 400, and closes

    def _fault(self) -> str:
        """What is wrong with the head, if anything."""
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            return "HTTP/1.1 is spoken here."
        if self.parser.get_method() == b"CONNECT":
            return "This is no proxy."
        if self._unread > HEAD_BYTES and self._head_bytes() > HEAD_BYTES:
            return "The request's head is larger than 64 KiB."
        if not self.url.startswith(b"/") or b"#" in self.url:
            return "The request's target is to be a path (RFC 9112, 3.2.1)."
        return self._wrong_framing(version) or self._wrong_host(version)

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _wrong_framing(self, version: str) -> str:
        codings = [value for name, value in self.headers if name == b"transfer-encoding"]
        if codings and version == "1.0":
            return "HTTP/1.0 has no Transfer-Encoding (RFC 9112, 6.1)."
        if codings and [each.strip().lower() for each in codings] != [b"chunked"]:
            return "The one Transfer-Encoding that is taken is chunked."
        if self._requests and self.parser.should_upgrade() and self._should_upgrade():
            return "A WebSocket is asked for once all else is answered."
        return ""

    def _wrong_host(self, version: str) -> str:
        sent = [value for name, value in self.headers if name == b"host"]
        if not sent and version == "1.0":
            return ""
        host = host_of(sent[0]) if len(sent) == 1 else None
        if host is None:
            return "One Host is to be sent, a name or an address (RFC 9112, 3.2)."
        return "" if is_served(host, self._rules.hosts) else "This host is not served here."

    # Whose it is.

    def _peer(self) -> str:
        return self.client[0] if self.client else ""

    def _place_of_request(self) -> Place | None:
        """The connection's own, or one of whom a proxy sends it for; None: that one has too many."""
        client = self._forwarded_for()
        if not client:
            return self._place or self._entered(self._peer())
        if self._place is not None and not self._requests:
            self._place.leave()
            self._place = None
        return self._entered(client)

    def _forwarded_for(self) -> str:
        """Whom a trusted proxy sends the request for; empty where it says nothing, or is none."""
        sent = [value for name, value in self.headers if name == b"x-forwarded-for"]
        if not sent or self._peer() not in self._rules.proxies:
            return ""
        host, _ = self._rules.proxies.get_trusted_client_address(b", ".join(sent).decode("latin-1"))
        return host

    def _entered(self, client: str) -> Place | None:
        try:
            return self._rules.addresses.enter(client)
        except TooManyOfAddress:
            return None

    def _leave(self, place: Place | None) -> None:
        if place is not None and place is not self._place:
            place.leave()

    # Who is let go.

    def _turn_away(self, answer: bytes) -> None:
        """Close with that answer, once what was asked before is answered: a client takes answers in the order of its requests."""
        if self._asked_before():
            self._farewell = answer
            self._time.end()
            return
        if not self._is_answered() and not self.transport.is_closing():
            self.transport.write(answer)
        self.transport.close()

    def _asked_before(self) -> int:
        """How many requests before the one that comes wait for their answers."""
        return len(self._requests) - (self._coming == "body" and not self.cycle.response_complete)

    def _is_answered(self) -> bool:
        """Has the one that comes got an answer, or the beginning of one?"""
        return self._coming == "body" and self.cycle.response_started

    def _let_go(self) -> None:
        """Others of its address need its place. What it has not read of an answer keeps nobody waiting."""
        self._place = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _is_paused(self) -> bool:
        return self.flow.read_paused

    def _late(self) -> None:
        """Close; with an answer, where there is a question and no answer to it or to another one is on its way."""
        if self._coming and not self._asked_before() and not self._is_answered():
            self.transport.write(_TOO_LATE)
        self.transport.close()

    def _watch_stall(self) -> None:
        self._forget_stall()
        self._stall = self.loop.call_later(STALL_SECONDS, self._stalled)

    def _stalled(self) -> None:
        self._stall = None
        if self.stream:
            return  # it looks after itself
        left, before = self.transport.get_write_buffer_size(), self._left
        self._left = left
        if left < before:
            self._watch_stall()
        else:
            self.transport.abort()

    def _forget_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None


async def too_many(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 (ASGI)
    """The ASGI app for a client that has too many connections, of whom only a proxy knows."""
    headers = [(b"retry-after", b"1"), (b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def lent(scope: Scope) -> tuple[EventHttp, asyncio.Transport]:
    """The connection that brought the request."""
    protocol: EventHttp = scope["extensions"][_LENT]
    return protocol, protocol.transport
