"""The sessions of each revision of Socket.IO: who keeps whom alive, and how."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from trunkline.live.http.addresses import Place
from trunkline.live.http.websocket import WebSocket
from trunkline.live.socketio import engine_io
from trunkline.live.socketio.client_packet import PacketInvalid
from trunkline.live.socketio.packet_codecs import ENGINE_IO, SOCKET_IO_09
from trunkline.live.socketio.poll_queue import PollQueue
from trunkline.live.socketio.sessions import Session, SessionContext


class EngineIOSession(Session):
    __slots__ = ()

    def greet(self, upgrades: Sequence[str] = ()) -> None:
        times, most = self.context.times, self.context.deps.limits.frame_bytes
        seconds = (times.ping_interval, times.ping_timeout)
        self.send(engine_io.handshake(self.sid, upgrades, *seconds, most))


class EngineIO4Session(EngineIOSession):
    """For clients of Socket.IO 3 and 4: the server pings, and they ask to join."""

    __slots__ = ("_pinged",)
    version = 4

    def __init__(self, context: SessionContext, place: Place | None) -> None:
        super().__init__(context, ENGINE_IO[4], place)
        self._pinged = False
        context.wheel.set(self, context.times.ping_interval)

    def pong(self) -> None:
        if self._pinged:
            self._pinged = False
            self.context.wheel.set(self, self.context.times.ping_interval)

    def beat(self) -> None:
        """Ping; end the session of a client that did not answer the last ping, or never joined."""
        if self._pinged or not self.joined:
            self.end()
            return
        self._pinged = True
        self.context.wheel.set(self, self.context.times.ping_timeout)
        self.send(self.codec.beat)


class EngineIO3Session(EngineIOSession):
    """For clients of Socket.IO 1 and 2: they ping, and the server joins them unasked."""

    __slots__ = ()
    version = 3

    def __init__(self, context: SessionContext, place: Place | None) -> None:
        super().__init__(context, ENGINE_IO[3], place)
        self.heard()

    def greet(self, upgrades: Sequence[str] = ()) -> None:
        super().greet(upgrades)
        self.join()

    def heard(self) -> None:
        self.context.wheel.set(
            self, self.context.times.ping_interval + self.context.times.ping_timeout
        )

    def beat(self) -> None:
        self.end()


class SocketIO09Session(Session):
    """For clients of 0.9, which may lose a WebSocket and come back with the same sid."""

    __slots__ = ("_heard",)

    def __init__(self, context: SessionContext, place: Place | None) -> None:
        super().__init__(context, SOCKET_IO_09, place)
        self.heard()
        context.wheel.set(self, context.times.beat)

    def heard(self) -> None:
        self._heard = asyncio.get_running_loop().time()

    def beat(self) -> None:
        """Send the heartbeat; a client that polls needs none."""
        silent = asyncio.get_running_loop().time() - self._heard
        if silent > self.context.times.silence:
            self.end()
            return
        self.context.wheel.set(self, self.context.times.beat)
        if self.socket is not None:
            self.send(self.codec.beat)

    def received_all(self, data: str | bytes) -> None:
        """Act on a WebSocket's message, which may hold several packets."""
        try:
            packets: list[Any] = self.codec.packets(data) if isinstance(data, str) else [data]
        except PacketInvalid:
            packets = [""]
        for packet in packets:
            self.received(packet)

    def use_socket(self, socket: WebSocket) -> None:
        """Each new transport is welcomed; what waited follows."""
        welcomed = self.poll_queue is not None
        super().use_socket(socket)
        if not welcomed:
            self.join()

    def use_polling(self) -> PollQueue:
        if self.poll_queue is None:
            super().use_polling()
            self.join()
        assert self.poll_queue is not None
        return self.poll_queue

    def socket_closed(self, socket: WebSocket) -> None:
        """Let events wait for the client's return, as long as the silence may last."""
        if socket is not self.socket:
            return
        self.socket = None
        if self._cut:
            self.end()
        elif not self.ended:
            self.use_polling()


SESSIONS: dict[int, type[EngineIO3Session] | type[EngineIO4Session]] = {
    3: EngineIO3Session,
    4: EngineIO4Session,
}
