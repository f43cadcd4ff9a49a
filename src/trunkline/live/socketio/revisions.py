"""The sessions of each age of Socket.IO: who keeps whom alive, and how."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from trunkline.live.http.websocket import WebSocket
from trunkline.live.socketio import engine_io
from trunkline.live.socketio.client_packet import PacketInvalid
from trunkline.live.socketio.packet_codecs import ENGINE_IO, OLD
from trunkline.live.socketio.poll_queue import Outbox
from trunkline.live.socketio.sessions import House, Session


class Engine(Session):
    """A session of Engine.IO."""

    __slots__ = ()

    def greet(self, upgrades: Sequence[str] = ()) -> None:
        """The open packet."""
        pace, most = self.house.pace, self.house.deps.limits.frame_bytes
        times = (pace.ping_interval, pace.ping_timeout)
        self.send(engine_io.handshake(self.sid, upgrades, *times, most))


class Engine4(Engine):
    """Clients of Socket.IO 3 and 4: the server pings, and they join by themselves."""

    __slots__ = ("_pinged",)
    version = 4

    def __init__(self, house: House) -> None:
        super().__init__(house, ENGINE_IO[4])
        self._pinged = False
        house.wheel.set(self, house.pace.ping_interval)

    def pong(self) -> None:
        """The next ping is in a while."""
        if self._pinged:
            self._pinged = False
            self.house.wheel.set(self, self.house.pace.ping_interval)

    def beat(self) -> None:
        """Ping; a client that did not answer the last one, or never joined, is gone."""
        if self._pinged or not self.joined:
            self.end()
            return
        self._pinged = True
        self.house.wheel.set(self, self.house.pace.ping_timeout)
        self.send(self.dialect.beat)


class Engine3(Engine):
    """Clients of Socket.IO 1 and 2: they ping, and the server joins them."""

    __slots__ = ()
    version = 3

    def __init__(self, house: House) -> None:
        super().__init__(house, ENGINE_IO[3])
        self.heard()

    def greet(self, upgrades: Sequence[str] = ()) -> None:
        """The open packet; they are joined without asking."""
        super().greet(upgrades)
        self.join()

    def heard(self) -> None:
        """It lives on."""
        self.house.wheel.set(self, self.house.pace.ping_interval + self.house.pace.ping_timeout)

    def beat(self) -> None:
        """Silent for too long."""
        self.end()


class Session09(Session):
    """Clients of 0.9. A lost WebSocket does not end the session: it may come back with its sid."""

    __slots__ = ("_heard",)

    def __init__(self, house: House) -> None:
        super().__init__(house, OLD)
        self.heard()
        house.wheel.set(self, house.pace.beat)

    def heard(self) -> None:
        """It lives on."""
        self._heard = asyncio.get_running_loop().time()

    def beat(self) -> None:
        """The server's heartbeat; a poller needs none, its polls are."""
        silent = asyncio.get_running_loop().time() - self._heard
        if silent > self.house.pace.silence:
            self.end()
            return
        self.house.wheel.set(self, self.house.pace.beat)
        if self.socket is not None:
            self.send(self.dialect.beat)

    def received_all(self, data: str | bytes) -> None:
        """Act on a WebSocket's message, which may be several packets."""
        try:
            packets: list[Any] = self.dialect.packets(data) if isinstance(data, str) else [data]
        except PacketInvalid:
            packets = [""]
        for packet in packets:
            self.received(packet)

    def use_socket(self, socket: WebSocket) -> None:
        """Each new transport is welcomed; what waited follows."""
        welcomed = self.outbox is not None
        super().use_socket(socket)
        if not welcomed:
            self.join()

    def use_outbox(self) -> Outbox:
        """Each new transport is welcomed; what waited follows."""
        if self.outbox is None:
            super().use_outbox()
            self.join()
        assert self.outbox is not None
        return self.outbox

    def socket_closed(self, socket: WebSocket) -> None:
        """Events wait for the client's return, as long as the silence may last."""
        if socket is not self.socket:
            return
        self.socket = None
        if self._cut:
            self.end()
        elif not self.ended:
            self.use_outbox()


ENGINES: dict[int, type[Engine3] | type[Engine4]] = {3: Engine3, 4: Engine4}
