"""Socket.IO sessions: one for each client, whatever its revision and its transport.

A session has the subscriptions. Its transport is a WebSocket, or polling: a queue of packets that
polls empty. When the transport changes, the hub goes on writing to the new one. All of it runs in the
event loop's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from trunkline.live.deps import LiveDeps
from trunkline.live.http.addresses import Place, TooManyOfAddress
from trunkline.live.http.websocket import FAILED, NO_SIGN_IN, TOO_SLOW, WebSocket
from trunkline.live.hub.client_commands import ClientCommands
from trunkline.live.hub.command_queue import CommandQueue
from trunkline.live.hub.hub import Hub
from trunkline.live.hub.sign_ins import NOT_SIGNED_IN, REVOKED, SignIns
from trunkline.live.hub.subscribe_request import BadRequest
from trunkline.live.hub.wire import Encoding
from trunkline.live.socketio.client_packet import BINARY, ClientPacket, PacketInvalid, PacketKind
from trunkline.live.socketio.packet_codecs import Codec
from trunkline.live.socketio.poll_queue import PollQueue
from trunkline.live.socketio.timers import HeartbeatTimes, TimerWheel

NORMAL = 1000
ROOT = "/"
_STRANGERS = 64 * 1024
"""Bytes of answers that may wait for a client that has shown no token."""

Answer = Callable[["Session", ClientPacket], None]


@dataclass(frozen=True)
class SessionContext:
    """What all sessions share; ``answer`` acts on a client's events, ``sessions`` is by sid."""

    deps: LiveDeps
    hub: Hub
    times: HeartbeatTimes
    answer: Answer
    sign_ins: SignIns
    wheel: TimerWheel = field(default_factory=TimerWheel)
    sessions: dict[str, Session] = field(default_factory=dict)


class Session:
    """One client. The hub writes to it, and the timer wheel calls it for its heartbeats.

    ``name`` is its public id, ``sid`` the secret one that polls and upgrades show. ``upgrading``:
    a WebSocket is about to take over from the polls. ``ended``: nothing goes in or out any more.
    """

    __slots__ = (
        *("_crowded", "_cut", "_farewell", "_room", "client", "codec", "command_queue", "commands"),
        *("context", "encoding", "ended", "joined", "name", "place", "poll_queue", "sid", "slot"),
        *("socket", "upgrading", "write"),
    )
    once = True
    version = 0
    """Engine.IO's revision; 0 where it is not spoken."""

    def __init__(self, context: SessionContext, codec: Codec, place: Place | None) -> None:
        """``place``: what it has among its address, where no connection has one for it."""
        self.context, self.codec = context, codec
        self.sid, self.name = secrets.token_urlsafe(15), secrets.token_urlsafe(15)
        self.socket: WebSocket | None = None
        self.poll_queue: PollQueue | None = None
        self.encoding: Encoding = codec.packet
        self.write: Callable[[Any], None] = _nowhere
        self.client = context.hub.client(self)
        self.commands = ClientCommands(
            context.deps,
            context.hub.usage,
            context.hub.app_checks,
            self.client,
            self.name,
            self._signed_in,
            self._revoked,
        )
        self.place = place
        if place is not None:
            place.idle(self.end)
        self.command_queue = CommandQueue(context.deps.limits.frames_per_second)
        self.joined = self.ended = self.upgrading = self._crowded = False
        self._cut: tuple[int, str] | None = None
        self._farewell = codec.last
        self._room: asyncio.Event | None = None
        self.slot = 0
        context.sessions[self.sid] = self
        context.sign_ins.expect(self)

    # What the hub asks of a connection.

    def buffered(self) -> int:
        """What the client has not taken yet: bytes, or characters while it polls."""
        if self.socket is not None:
            return self.socket.buffered()
        return self.poll_queue.size if self.poll_queue is not None else 0

    def fell_behind(self, resume: int) -> None:
        """Tell the client the number to resume after, and end."""
        if self.socket is not None:
            self.socket.when_lost(self.client.gone)
        self.cut("too slow", TOO_SLOW, resume)

    async def room(self) -> None:
        """Return once no more than half of what may wait does."""
        while self._crowded and not self.ended:
            if self._room is None:
                self._room = asyncio.Event()
            self._room.clear()
            await self._room.wait()

    def failed(self) -> None:
        self.cut("the log could not be read", FAILED)

    # Whose it is.

    def _signed_in(self) -> None:
        self.context.sign_ins.forget(self)
        for place in (self.place, self.socket):
            if place is not None:
                place.sign_in()

    def _revoked(self) -> None:
        self.cut(REVOKED, NO_SIGN_IN)

    def send_away(self) -> None:
        self.cut(NOT_SIGNED_IN, NO_SIGN_IN)

    # Transports.

    def use_socket(self, socket: WebSocket) -> None:
        """Go on by this WebSocket; what waits for a poll goes first, in its order."""
        waiting = self.poll_queue
        self._leave_transport()
        if self.commands.signed_in:
            with contextlib.suppress(TooManyOfAddress):  # it has one more for a moment
                socket.sign_in()
        self.socket, self.encoding, self.write = socket, self.codec.ws, socket.write
        for packet in waiting.take_all() if waiting else ():
            socket.send_text(packet)
        self.client.rewired()
        if self._cut:
            socket.close(*self._cut)

    def use_polling(self) -> PollQueue:
        if self.poll_queue is None:
            self._leave_transport()
            self.poll_queue = PollQueue()
            self.encoding, self.write = self.codec.packet, self._queue
            self.client.rewired()
        return self.poll_queue

    def _leave_transport(self) -> None:
        poll_queue, socket = self.poll_queue, self.socket
        self.poll_queue = self.socket = None
        self.flowing()
        if poll_queue is not None:
            poll_queue.wake()
        if socket is not None:
            socket.close(NORMAL, "")

    def _queue(self, packet: str) -> None:
        if self.poll_queue is None or self.ended:
            return
        self.poll_queue.put(packet)
        if not self._crowded and self.poll_queue.size * 2 > self._most():
            self.congested()

    def taken(self) -> None:
        """A poll has taken some of the queue."""
        if (
            self._crowded
            and self.poll_queue is not None
            and self.poll_queue.size * 4 < self._most()
        ):
            self.flowing()

    def congested(self) -> None:
        self._crowded = True
        self.client.congested()

    def flowing(self) -> None:
        if not self._crowded:
            return
        self._crowded = False
        self.client.flowing()
        if self._room is not None:
            self._room.set()

    def socket_closed(self, socket: WebSocket) -> None:
        """A WebSocket is gone; the session ends if it was its transport."""
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
        elif self.poll_queue is not None:
            self._queue(packet)
        if self.buffered() > (2 * self._most() if self.commands.signed_in else _STRANGERS):
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
            self._act(self._client_packet(packet))
        except PacketInvalid as invalid:
            if self._may_ask():
                self.refuse("error", str(invalid))

    def refuse(self, event: str, message: str, **more: Any) -> dict[str, Any]:
        """Send an error event; returns the acknowledgement that says the same."""
        if self.joined:
            self.send(self.codec.emit(event, {"message": message, **more}))
        return {"status": "error", "message": message}

    def _client_packet(self, packet: str | bytes) -> ClientPacket:
        if isinstance(packet, bytes):
            raise PacketInvalid(BINARY)
        most = self.context.deps.limits.frame_bytes
        if len(packet.encode()) > most:
            raise PacketInvalid(f"invalid packet: at most {most} bytes")
        return self.codec.client_packet(packet)

    def _act(self, packet: ClientPacket) -> None:
        match packet.kind:
            case PacketKind.PING:
                self._reply(f"3{packet.data}")
            case PacketKind.PONG:
                self.pong()
            case PacketKind.CLOSE:
                self.end()
            case PacketKind.CONNECT:
                self._connect(packet.namespace)
            case PacketKind.DISCONNECT:
                self._disconnect(packet.namespace)
            case PacketKind.EVENT:
                self._event(packet)

    def join(self) -> None:
        self.joined = True
        self.send(self.codec.joined(self.name))

    def _connect(self, namespace: str) -> None:
        if namespace != ROOT:
            self._reply(self.codec.refused(namespace, "Invalid namespace"))
        elif not self.joined and self._may_ask():
            self.join()

    def _disconnect(self, namespace: str) -> None:
        if namespace == ROOT and self.joined:
            self.joined = False
            self.command_queue.take(self._unsubscribe_all)

    async def _unsubscribe_all(self) -> None:
        self.client.unsubscribe(None)

    def _event(self, packet: ClientPacket) -> None:
        if packet.namespace != ROOT:
            self._reply(self.codec.refused(packet.namespace, "Invalid namespace"))
        elif not self.joined:
            self._reply(self.codec.refused(ROOT, "connect to the namespace first"))
        else:
            self.context.answer(self, packet)

    def _reply(self, packet: str) -> None:
        """Answer what costs the client nothing to send; one too many in a second is not answered."""
        if self._may_ask():
            self.send(packet)

    def _may_ask(self) -> bool:
        try:
            self.commands.count()
        except BadRequest:
            return False
        return True

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
        self._put(self.codec.emit("error", error))

    def end(self) -> None:
        """End the subscriptions and let nothing more in or out. Doing it again does nothing."""
        if self.ended:
            return
        self.ended = True
        polled = self.poll_queue is not None
        self.context.sessions.pop(self.sid, None)
        self.context.wheel.clear(self)
        self.context.sign_ins.forget(self)
        self.command_queue.close()
        self.commands.close()
        if self.place is not None:
            self.place.leave()
        self._leave_transport()
        self.write = _nowhere
        if polled:
            self.client.gone()
        if self._room is not None:
            self._room.set()

    def _put(self, packet: str) -> None:
        if self.socket is not None:
            self.socket.send_text(packet)
        elif self.poll_queue is not None:
            self.poll_queue.put(packet)

    def _last_words(self) -> None:
        """The next polls take what is left; then the session ends, or when no poll comes."""
        self.polled()
        if not self.ended:
            self.context.wheel.set(self, self.context.times.linger)

    def polled(self) -> None:
        """A poll has taken packets. A client that was cut off learns so by one, and of the end by the next.

        (Clients look at the end in a payload before its events.)
        """
        if not self._cut or (self.poll_queue is not None and self.poll_queue.size):
            return
        farewell, self._farewell = self._farewell, ()
        for packet in farewell:
            self._put(packet)
        if not farewell:
            self.end()

    def _most(self) -> int:
        return self.context.deps.limits.buffered_bytes

    # Each revision has its own.

    def greet(self, upgrades: Sequence[str] = ()) -> None:
        """Send the first packets on the first transport."""

    def heard(self) -> None:
        """A packet came."""

    def pong(self) -> None:
        """Our heartbeat was answered."""

    def beat(self) -> None:
        """The time has come that was set on the wheel."""

    def due(self) -> None:
        if self._cut:
            self.end()
        else:
            self.beat()


def _nowhere(frame: Any) -> None:
    """Before there is a transport there are no subscriptions."""
    del frame
