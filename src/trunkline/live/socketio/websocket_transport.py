"""Socket.IO by WebSocket: what joins a WebSocket to its session."""

from __future__ import annotations

from trunkline.live.http.websocket import WebSocket
from trunkline.live.socketio import engine_io
from trunkline.live.socketio.sessions import NORMAL, House, Session

_PROBE = engine_io.PING + engine_io.PROBE
_PROBED = engine_io.PONG + engine_io.PROBE


class Line:
    """A WebSocket that is its session's transport; ``greets``: the session's first."""

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
        """A packet; in 0.9 perhaps several."""
        if self._current():
            self._session.received_all(data)

    def congested(self) -> None:
        """The transport takes no more at the moment."""
        if self._current():
            self._session.congested()

    def flowing(self) -> None:
        """It does again."""
        if self._current():
            self._session.flowing()

    def closed(self) -> None:
        """The WebSocket is gone."""
        if self._socket is not None:
            self._session.socket_closed(self._socket)

    def _current(self) -> bool:
        return self._socket is not None and self._session.socket is self._socket


class Upgrade:
    """A WebSocket beside a session's polls, which takes over in Engine.IO's three steps.

    The client sends ``2probe`` and gets ``3probe``; the poll that hangs comes back, so that the
    client can stop polling; it sends ``5``, and from there on this is the transport. What polls
    have taken is not sent again, what they have not is sent first.
    """

    __slots__ = ("_house", "_line", "_session", "_socket", "slot")

    def __init__(self, house: House, session: Session) -> None:
        self._house, self._session = house, session
        self._socket: WebSocket | None = None
        self._line: Line | None = None
        self.slot = 0

    def opened(self, socket: WebSocket) -> None:
        """It has so long for all steps."""
        self._socket = socket
        self._house.wheel.set(self, self._house.pace.upgrade)

    def received(self, data: str | bytes) -> None:
        """A step; anything else ends the attempt, and the session goes on polling."""
        if self._line is not None:
            self._line.received(data)
        elif data == _PROBE and not self._session.ended:
            self._probe()
        elif data == engine_io.UPGRADE and self._session.upgrading and not self._session.ended:
            self._take_over()
        else:
            self.due()

    def congested(self) -> None:
        """The transport takes no more at the moment."""
        if self._line is not None:
            self._line.congested()

    def flowing(self) -> None:
        """It does again."""
        if self._line is not None:
            self._line.flowing()

    def closed(self) -> None:
        """The WebSocket is gone."""
        self._house.wheel.clear(self)
        if self._line is not None:
            self._line.closed()
        else:
            self._session.upgrading = False

    def due(self) -> None:
        """Too slow, or no upgrade at all."""
        self._session.upgrading = False
        if self._socket is not None:
            self._socket.close(NORMAL, "")

    def _probe(self) -> None:
        assert self._socket is not None
        self._session.upgrading = True
        self._socket.send_text(_PROBED)
        if self._session.outbox is not None:
            self._session.outbox.wake()

    def _take_over(self) -> None:
        assert self._socket is not None
        self._house.wheel.clear(self)
        self._session.upgrading = False
        self._line = Line(self._session)
        self._line.opened(self._socket)
