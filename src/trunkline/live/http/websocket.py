"""WebSockets (RFC 6455) without a task for each: uvicorn hands a connection over at its upgrade.

The handshake and what comes in are ``websockets``' sans-I/O protocol; what goes out is written to
the transport as finished frames, so nothing may be compressed (no permessage-deflate).
"""

from __future__ import annotations

import asyncio
import http
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import msgspec
import structlog
from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.frames import CONT, DATA_OPCODES, TEXT, Frame
from websockets.http11 import Request
from websockets.protocol import CONNECTING, OPEN
from websockets.server import ServerProtocol

from trunkline.live.http.addresses import Place
from trunkline.live.http.frames import text_frame
from trunkline.live.http.heartbeat import Heartbeat
from trunkline.live.http.kernel_buffer import keep_little
from trunkline.live.http.protocol import PLACE
from trunkline.live.limits import LiveLimits

log = structlog.get_logger()

GOING_AWAY = 1012  # "Service Restart": come back
FAILED = 1011
POLICY = 1008
NOT_UTF8 = 1007
TRY_AGAIN = 1013
NO_SIGN_IN = 4001
TOO_SLOW = 4008
TOO_MANY = 4029

_PING = b"\x89\x00"  # RFC 6455 5.5.2, without a payload
_SILENT_PINGS = 2
_SLICE = 4096  # bytes that are read before it is seen how many frames they were
_MOST_FRAMES = 1000  # in a second
_LARGEST = 4  # times the longest message: up to there it is answered, beyond it is a 1009
_SHUTDOWN_SECONDS = 2.0
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class SocketHandler(Protocol):
    """What one WebSocket is for. ``closed`` is called once, and nothing after it."""

    def opened(self, socket: WebSocket) -> None:
        """The handshake is done."""

    def received(self, data: str | bytes) -> None:
        """One whole message, of any length up to four times ``limits.frame_bytes``."""

    def congested(self) -> None:
        """The peer does not take what is written. Nothing is received meanwhile."""

    def flowing(self) -> None:
        """It does again."""

    def closed(self) -> None:
        """Closed by either side, or lost."""


class Refusal(msgspec.Struct, frozen=True):
    """The HTTP answer to a handshake that is refused."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


Route = Callable[[str, str, Mapping[str, str]], SocketHandler | Refusal]
"""(path as it came, query string, headers by lower-case name) -> who takes the WebSocket."""


class WebSockets:
    """All WebSockets of a server. uvicorn takes it as ``Config(ws=…)``."""

    def __init__(self, route: Route, limits: LiveLimits) -> None:
        self.route, self.limits = route, limits
        self.open: Heartbeat[WebSocket] = Heartbeat(limits.ping_seconds, WebSocket.beat)
        self.logger = logging.getLogger("trunkline.websocket")
        self.logger.setLevel(logging.WARNING)  # below that each connection is told of

    def __call__(
        self,
        *,
        config: Config,
        server_state: ServerState,
        app_state: Mapping[str, Any] | None = None,
        **_: object,
    ) -> WebSocket:
        """The protocol for one connection that asks for an upgrade."""
        place = (app_state or {}).get(PLACE)
        return WebSocket(self, server_state.connections, config.root_path, place)


class WebSocket(asyncio.Protocol):
    """One connection, from its handshake on."""

    __slots__ = (
        "_address",
        "_connections",
        "_frames",
        "_handler",
        "_is_text",
        "_kept",
        "_left",
        "_parser",
        "_place",
        "_room",
        "_root",
        "_second",
        "_silent",
        "_sockets",
        "_stall",
        "_told",
        "_transport",
        "write",
    )

    write: Callable[[bytes], None]
    """Write finished frames; never blocks. What comes after the end is dropped."""

    def __init__(
        self,
        sockets: WebSockets,
        connections: set[Any],
        root: str,
        place: Place | None = None,
    ) -> None:
        self._sockets, self._connections, self._root = sockets, connections, root
        self._place = place
        self._told: Callable[[], None] | None = None
        largest = _LARGEST * sockets.limits.frame_bytes
        self._parser = ServerProtocol(max_size=largest, logger=sockets.logger)
        self._transport = cast(asyncio.Transport, None)
        self._handler: SocketHandler | None = None
        self._kept = bytearray()
        self._is_text = False
        self._room: asyncio.Future[None] | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._silent = self._left = 0
        self._second = self._frames = 0
        self._address = ""

    # What a handler may do.

    @property
    def address(self) -> str:
        return self._address

    def sign_in(self) -> None:
        """It has shown a good token; raises TooManyOfAddress."""
        if self._place is not None:
            self._place.sign_in()
        keep_little(self._transport)

    def when_lost(self, told: Callable[[], None]) -> None:
        """Call it once the connection is gone, and what was buffered for it."""
        self._told = told

    def send_text(self, text: str) -> None:
        """Send a text message; after the end nothing happens."""
        if self._parser.state is OPEN:
            self.write(text_frame(text.encode()))

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame (its reason cut to 123 bytes); the handler is done with.

        The peer has ``stall_seconds`` to take what is buffered and answer; then it is let go.
        """
        if self._parser.state is OPEN:
            short = reason.encode()[:123].decode(errors="ignore")
            self._parser.send_close(code, short)
            self._sent()

    def buffered(self) -> int:
        return self._transport.get_write_buffer_size()

    @property
    def is_congested(self) -> bool:
        return self._room is not None

    async def room(self) -> None:
        while self._room is not None:
            await asyncio.shield(self._room)

    def abort(self) -> None:
        """Drop the connection, and what is buffered with it."""
        self._transport.abort()

    def beat(self) -> None:
        """Ping; drop a peer that has shown no sign of life since the ping before the last."""
        left, before = self.buffered(), self._left
        self._left = left
        if self._room is not None and left < before:
            self._silent = 0  # it takes what is written, if slowly
        if self._silent >= _SILENT_PINGS:
            self.abort()
            return
        self._silent += 1
        if self._room is None:
            self.write(_PING)

    # What uvicorn and the transport call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._address = str((transport.get_extra_info("peername") or ("",))[0])
        self.write = self._transport.write
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._silent = 0
        for at in range(0, len(data), _SLICE):
            if self._transport.is_closing():
                return
            self._feed(data[at : at + _SLICE])
        self._sent()  # last: messages that came together with a close frame count

    def _feed(self, data: bytes) -> None:
        self._parser.receive_data(data)
        events = self._parser.events_received()
        if self._floods(len(events)):
            self.close(POLICY, "too many frames")
            self._transport.close()
            return
        for event in events:
            if isinstance(event, Frame):
                self._take(event)
            elif isinstance(event, Request):
                self._shake_hands(event)

    def _floods(self, frames: int) -> bool:
        """Pings and fragments count, too: to read one takes as long as to read a message."""
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._frames = second, 0
        self._frames += frames
        return self._frames > _MOST_FRAMES

    def eof_received(self) -> None:
        """The peer sends no more: what is buffered for it is still written, for a while."""
        self._end()
        self._let_go()

    def pause_writing(self) -> None:
        if self._room is None:
            self._room = asyncio.get_running_loop().create_future()
        if self._handler is not None and not self._transport.is_closing():
            self._transport.pause_reading()  # a peer that does not read is not read either
            self._handler.congested()

    def resume_writing(self) -> None:
        self._release()
        if not self._transport.is_closing():
            self._transport.resume_reading()
        if self._handler is not None:
            self._handler.flowing()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        self._connections.discard(self)
        if self._place is not None:
            self._place.leave()
        if self._told is not None:
            self._told()
        if self._stall is not None:
            self._stall.cancel()
        self._end()
        self._release()

    def shutdown(self) -> None:
        """uvicorn calls it when the server goes down."""
        self.close(GOING_AWAY)
        self._abort_after(_SHUTDOWN_SECONDS)

    # The handshake.

    def _shake_hands(self, request: Request) -> None:
        chosen = self._chosen(request)
        if isinstance(chosen, Refusal):
            self._refuse(chosen)
            return
        self._parser.send_response(self._parser.accept(request))
        self._sent()
        if self._parser.state is OPEN:
            self._handler = chosen
            self._sockets.open.add(self)
            if self._place is not None:
                self._place.idle(self._make_room)
            chosen.opened(self)

    def _make_room(self) -> None:
        """Others of its address need its place, and it has shown no token."""
        self.close(TRY_AGAIN)
        self._let_go()

    def _chosen(self, request: Request) -> SocketHandler | Refusal:
        path, _, query = request.path.partition("?")
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        try:
            return self._sockets.route(self._root + path, query, headers)
        except Exception:
            log.exception("live.handshake_failed")
            return Refusal(500, b"internal error\n")

    def _refuse(self, refusal: Refusal) -> None:
        response = self._parser.reject(http.HTTPStatus(refusal.status), refusal.body.decode())
        for name, value in refusal.headers:
            response.headers[name] = value
        self._parser.send_response(response)
        self._sent()

    # Messages.

    def _take(self, frame: Frame) -> None:
        if frame.opcode not in DATA_OPCODES or self._handler is None:
            return
        if frame.opcode is not CONT:
            self._is_text = frame.opcode is TEXT
        self._kept += frame.data
        if frame.fin:
            data, self._kept = bytes(self._kept), bytearray()
            self._receive(self._handler, data)

    def _receive(self, handler: SocketHandler, data: bytes) -> None:
        try:
            handler.received(data.decode() if self._is_text else data)
        except UnicodeDecodeError:
            self._parser.fail(NOT_UTF8, "invalid UTF-8")
            self._sent()
        except Exception:
            log.exception("live.message_failed")
            self.close(FAILED)

    # The end.

    def _sent(self) -> None:
        """Write what the parser has to say; end when it says that all is over."""
        sent = self._parser.data_to_send()
        if sent == [b""] and self._parser.state is CONNECTING:
            sent = [_BAD_REQUEST, b""]
        for data in sent:
            if data:
                self._transport.write(data)
            else:
                self._let_go()
        if self._handler is not None and self._parser.state is not OPEN:
            self._end()
            self._abort_after(self._sockets.limits.stall_seconds)

    def _let_go(self) -> None:
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._abort_after(self._sockets.limits.stall_seconds)

    def _abort_after(self, seconds: float) -> None:
        if self._stall is not None:
            self._stall.cancel()
        self._stall = asyncio.get_running_loop().call_later(seconds, self.abort)

    def _end(self) -> None:
        self._sockets.open.remove(self)
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.closed()

    def _release(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.set_result(None)
