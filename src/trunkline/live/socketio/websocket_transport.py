"""Socket.IO by WebSocket: as a session's transport, and the upgrade to it from polling."""

from __future__ import annotations

from trunkline.live.http.websocket import WebSocket
from trunkline.live.socketio import engine_io
from trunkline.live.socketio.sessions import NORMAL, Session, SessionContext

_PROBE = engine_io.PING + engine_io.PROBE
_PROBED = engine_io.PONG + engine_io.PROBE


class WebSocketTransport:
    """A WebSocket that is its session's transport; ``greets``: it is the first one."""

    __slots__ = ("_greets", "_session", "_socket")

    def __init__(self, session: Session, greets: bool = False) -> None:
        self._session = session
        self._greets = greets
        self._socket: WebSocket | None = None

    def opened(self, socket: WebSocket) -> None:
        """Take the session over, from whatever transport it had."""
        if self._session.ended:
            socket.close(NORMAL, "")
            return
        self._socket = socket
        self._session.use_socket(socket)
        if self._greets:
            self._session.greet()

    def received(self, data: str | bytes) -> None:
        if self._current():
            self._session.received_all(data)

    def congested(self) -> None:
        if self._current():
            self._session.congested()

    def flowing(self) -> None:
        if self._current():
            self._session.flowing()

    def closed(self) -> None:
        if self._socket is not None:
            self._session.socket_closed(self._socket)

    def _current(self) -> bool:
        return self._socket is not None and self._session.socket is self._socket


class TransportUpgrade:
    """A WebSocket beside a session's polls, which takes over in Engine.IO's three steps.

    The client sends ``2probe`` and gets ``3probe``; the poll that waits is answered, so that the
    client can stop polling; it sends ``5``, and from there on this is the transport. What polls
    have taken is not sent again; what they have not is sent first.
    """

    __slots__ = ("_context", "_session", "_socket", "_transport", "slot")

    def __init__(self, context: SessionContext, session: Session) -> None:
        self._context, self._session = context, session
        self._socket: WebSocket | None = None
        self._transport: WebSocketTransport | None = None
        self.slot = 0

    def opened(self, socket: WebSocket) -> None:
        """Wait for the steps, no longer than ``times.upgrade``."""
        self._socket = socket
        self._context.wheel.set(self, self._context.times.upgrade)

    def received(self, data: str | bytes) -> None:
        """Take a step; anything else ends the attempt, and the session goes on polling."""
        if self._transport is not None:
            self._transport.received(data)
        elif data == _PROBE and not self._session.ended:
            self._probe()
        elif data == engine_io.UPGRADE and self._session.upgrading and not self._session.ended:
            self._take_over()
        else:
            self.due()

    def congested(self) -> None:
        if self._transport is not None:
            self._transport.congested()

    def flowing(self) -> None:
        if self._transport is not None:
            self._transport.flowing()

    def closed(self) -> None:
        self._context.wheel.clear(self)
        if self._transport is not None:
            self._transport.closed()
        else:
            self._session.upgrading = False

    def due(self) -> None:
        """The attempt has failed: too slow, or no upgrade at all."""
        self._session.upgrading = False
        if self._socket is not None:
            self._socket.close(NORMAL, "")

    def _probe(self) -> None:
        assert self._socket is not None
        self._session.upgrading = True
        self._socket.send_text(_PROBED)
        if self._session.poll_queue is not None:
            self._session.poll_queue.wake()

    def _take_over(self) -> None:
        assert self._socket is not None
        self._context.wheel.clear(self)
        self._session.upgrading = False
        self._transport = WebSocketTransport(self._session)
        self._transport.opened(self._socket)
