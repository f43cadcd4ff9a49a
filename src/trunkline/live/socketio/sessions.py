"""Socket.IO sessions: one for each client, whatever its age and whichever its transport.

A session is what has the subscriptions. Its transport is a WebSocket, or an outbox that long polls
empty; it may change from one to the other, and the hub goes on writing to whichever it is. All of
it runs in the event loop's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from trunkline.live.deps import LiveDeps
from trunkline.live.http.websocket import FAILED, TOO_SLOW, WebSocket
from trunkline.live.hub.client_commands import Asker, BadRequest
from trunkline.live.hub.command_queue import InTurn
from trunkline.live.hub.hub import Hub
from trunkline.live.hub.wire import Encoding
from trunkline.live.socketio.client_packet import BINARY, Kind, PacketInvalid, Said
from trunkline.live.socketio.packet_codecs import Dialect
from trunkline.live.socketio.poll_queue import Outbox
from trunkline.live.socketio.timers import Pace, Wheel

NORMAL = 1000
ROOT = "/"

Answer = Callable[["Session", Said], None]


@dataclass(frozen=True)
class House:
    """What all sessions share; ``answer`` acts on a client's events, ``sessions`` is by sid."""

    deps: LiveDeps
    hub: Hub
    pace: Pace
    answer: Answer
    wheel: Wheel = field(default_factory=Wheel)
    sessions: dict[str, Session] = field(default_factory=dict)


class Session:
    """One client. It is the hub's sink, and on the wheel for its heartbeats.

    ``name`` is its public id, ``sid`` the secret one that polls and upgrades show. ``upgrading``:
    a WebSocket is about to take over from the polls. ``ended``: nothing goes in or out any more.
    """

    __slots__ = (
        *(
            "asker",
            "client",
            "dialect",
            "encoding",
            "ended",
            "house",
            "in_turn",
            "joined",
            "name",
            "outbox",
        ),
        *("_crowded", "_cut", "_farewell", "_room", "sid", "slot", "socket", "upgrading", "write"),
    )
    once = True
    version = 0
    """Engine.IO's revision; 0 where it is not spoken."""

    def __init__(self, house: House, dialect: Dialect) -> None:
        self.house, self.dialect = house, dialect
        self.sid, self.name = secrets.token_urlsafe(15), secrets.token_urlsafe(15)
        self.socket: WebSocket | None = None
        self.outbox: Outbox | None = None
        self.encoding: Encoding = dialect.packet
        self.write: Callable[[Any], None] = _nowhere
        self.client = house.hub.client(self)
        self.asker = Asker(house.deps, house.hub.usage, self.client, self.name)
        self.in_turn = InTurn(house.deps.limits.frames_per_second)
        self.joined = self.ended = self.upgrading = self._crowded = False
        self._cut: tuple[int, str] | None = None
        self._farewell = dialect.last
        self._room: asyncio.Event | None = None
        self.slot = 0
        house.sessions[self.sid] = self

    # What the hub asks of a sink.

    def buffered(self) -> int:
        """What the client has not taken yet: bytes, or characters while it polls."""
        if self.socket is not None:
            return self.socket.buffered()
        return self.outbox.size if self.outbox is not None else 0

    def fell_behind(self, resume: int) -> None:
        """Too much waits for the client: tell it the number to resume after, and end."""
        self.cut("too slow", TOO_SLOW, resume)

    async def room(self) -> None:
        """Return once no more than half of what may wait does."""
        while self._crowded and not self.ended:
            if self._room is None:
                self._room = asyncio.Event()
            self._room.clear()
            await self._room.wait()

    def replay_failed(self) -> None:
        """The log could not be read: the client is to come back and resume."""
        self.cut("the log could not be read", FAILED)

    # Transports.

    def use_socket(self, socket: WebSocket) -> None:
        """Go on by this WebSocket; what waits for a poll goes first, in its order."""
        waiting = self.outbox
        self._leave_transport()
        self.socket, self.encoding, self.write = socket, self.dialect.ws, socket.write
        for packet in waiting.take_all() if waiting else ():
            socket.send_text(packet)
        self.client.rewired()
        if self._cut:
            socket.close(*self._cut)

    def use_outbox(self) -> Outbox:
        """Go on by long polling."""
        if self.outbox is None:
            self._leave_transport()
            self.outbox = Outbox()
            self.encoding, self.write = self.dialect.packet, self._queue
            self.client.rewired()
        return self.outbox

    def _leave_transport(self) -> None:
        outbox, socket = self.outbox, self.socket
        self.outbox = self.socket = None
        self.flowing()
        if outbox is not None:
            outbox.wake()
        if socket is not None:
            socket.close(NORMAL, "")

    def _queue(self, packet: str) -> None:
        if self.outbox is None or self.ended:
            return
        self.outbox.put(packet)
        if not self._crowded and self.outbox.size * 2 > self._most():
            self.congested()

    def taken(self) -> None:
        """A poll has emptied some of the outbox."""
        if self._crowded and self.outbox is not None and self.outbox.size * 4 < self._most():
            self.flowing()

    def congested(self) -> None:
        """The transport takes no more at the moment."""
        self._crowded = True
        self.client.congested()

    def flowing(self) -> None:
        """It does again."""
        if not self._crowded:
            return
        self._crowded = False
        self.client.flowing()
        if self._room is not None:
            self._room.set()

    def socket_closed(self, socket: WebSocket) -> None:
        """A WebSocket is gone; the session with it, if it was the session's."""
        if socket is self.socket:
            self.socket = None
            self.end()

    # Packets.

    def send(self, packet: str) -> None:
        """Send a packet of our own, in order with the events."""
        if self.ended:
            return
        if self.socket is not None:
            self.socket.send_text(packet)
        elif self.outbox is not None:
            self._queue(packet)
        if self.buffered() > 2 * self._most():
            self.end()  # asks and asks, and takes no answer

    def received_all(self, data: str | bytes) -> None:
        """Act on a WebSocket's message, which is one packet."""
        self.received(data)

    def received(self, packet: str | bytes) -> None:
        """Act on one packet; a malformed one is answered with an error event."""
        if self.ended or self._cut:
            return
        self.heard()
        try:
            self._act(self._said(packet))
        except PacketInvalid as invalid:
            with contextlib.suppress(BadRequest):  # one complaint too many is not answered
                self.asker.count()
                self.refuse("error", str(invalid))

    def refuse(self, event: str, message: str, **more: Any) -> dict[str, Any]:
        """Send an error event; gives the acknowledgement that says the same."""
        if self.joined:
            self.send(self.dialect.emit(event, {"message": message, **more}))
        return {"status": "error", "message": message}

    def _said(self, packet: str | bytes) -> Said:
        if isinstance(packet, bytes):
            raise PacketInvalid(BINARY)
        most = self.house.deps.limits.frame_bytes
        if len(packet.encode()) > most:
            raise PacketInvalid(f"invalid packet: at most {most} bytes")
        return self.dialect.said(packet)

    def _act(self, said: Said) -> None:
        match said.kind:
            case Kind.PING:
                self.send(f"3{said.data}")
            case Kind.PONG:
                self.pong()
            case Kind.CLOSE:
                self.end()
            case Kind.CONNECT:
                self._connect(said.namespace)
            case Kind.DISCONNECT:
                self._disconnect(said.namespace)
            case Kind.EVENT:
                self._event(said)

    def join(self) -> None:
        """Welcome the client."""
        self.joined = True
        self.send(self.dialect.joined(self.name))

    def _connect(self, namespace: str) -> None:
        if namespace != ROOT:
            self.send(self.dialect.refused(namespace, "Invalid namespace"))
        elif not self.joined:
            self.join()

    def _disconnect(self, namespace: str) -> None:
        if namespace == ROOT and self.joined:
            self.joined = False
            self.in_turn.take(self._unsubscribe_all)

    async def _unsubscribe_all(self) -> None:
        self.client.unsubscribe(None)

    def _event(self, said: Said) -> None:
        if said.namespace != ROOT:
            self.send(self.dialect.refused(said.namespace, "Invalid namespace"))
        elif not self.joined:
            self.send(self.dialect.refused(ROOT, "connect to the namespace first"))
        else:
            self.house.answer(self, said)

    # The end.

    def cut(self, why: str, code: int, resume: int | None = None) -> None:
        """End the session so that the client comes back, with the number to resume after."""
        if self.ended or self._cut:
            return
        number = self.client.resume_after() if resume is None else resume
        self.client.close()
        hint = "" if number is None else f"resume after {number}"
        self._put_error(why, hint, number)
        self._cut = (code, hint or why)
        if self.socket is not None:
            self.socket.close(*self._cut)
        else:
            self._last_words()

    def _put_error(self, why: str, hint: str, number: int | None) -> None:
        if not self.joined:
            return
        more = {} if number is None else {"resume_after": number}
        error = {"message": ": ".join(filter(None, (why, hint))), **more}
        self._put(self.dialect.emit("error", error))

    def end(self) -> None:
        """Nothing more goes in or out; the subscriptions are ended. Doing it again does nothing."""
        if self.ended:
            return
        self.ended = True
        self.house.sessions.pop(self.sid, None)
        self.house.wheel.clear(self)
        self.in_turn.close()
        self.asker.close()
        self._leave_transport()
        self.write = _nowhere
        if self._room is not None:
            self._room.set()

    def _put(self, packet: str) -> None:
        if self.socket is not None:
            self.socket.send_text(packet)
        elif self.outbox is not None:
            self.outbox.put(packet)

    def _last_words(self) -> None:
        """The next polls take them; the session ends when they have, or when none comes."""
        self.polled()
        if not self.ended:
            self.house.wheel.set(self, self.house.pace.linger)

    def polled(self) -> None:
        """A poll has taken packets. Who was cut off is told so by one, and gets the end by the next.

        (Clients look at the end in a payload before its events.)
        """
        if not self._cut or (self.outbox is not None and self.outbox.size):
            return
        farewell, self._farewell = self._farewell, ()
        for packet in farewell:
            self._put(packet)
        if not farewell:
            self.end()

    def _most(self) -> int:
        return self.house.deps.limits.buffered_bytes

    # For each age its own.

    def greet(self, upgrades: Sequence[str] = ()) -> None:
        """Say the first words on the first transport."""

    def heard(self) -> None:
        """A packet came."""

    def pong(self) -> None:
        """Our heartbeat was answered."""

    def beat(self) -> None:
        """The time that was set has come."""

    def due(self) -> None:
        """The wheel's call."""
        if self._cut:
            self.end()
        else:
            self.beat()


def _nowhere(frame: Any) -> None:
    """Before there is a transport there are no subscriptions."""
    del frame
