"""Socket.IO: clients of protocol 3 and later (Engine.IO 4), by WebSocket or long polling.

python-socketio speaks the protocol. Events go round its ``emit``: the packet is made once for all
readers and put straight into each reader's Engine.IO queue, which is bounded here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import engineio  # type: ignore[import-untyped,unused-ignore]
import socketio
import structlog
from engineio import packet as engine_packet

from trunkline.live.asgi import Message, Receive, Scope, Send
from trunkline.live.asking import (
    BadRequest,
    BadToken,
    FrameRate,
    binding_texts,
    grant,
    origin_allowed,
    read,
    token_account,
)
from trunkline.live.bindings import Binding
from trunkline.live.deps import LiveDeps
from trunkline.live.hub import Hub, resume_after
from trunkline.live.wire import EventPacket, Wire

log = structlog.get_logger()

PATH = "/socket.io/"
GOING_AWAY = 1012
_BATCH = 16  # what python-engineio's own client takes in one poll
_BINARY_PACKETS = ("5", "6")


class SocketIO:
    """The ASGI handler of ``/socket.io/``, and all its sessions."""

    def __init__(self, deps: LiveDeps, hub: Hub) -> None:
        self._deps = deps
        self._hub = hub
        self._sessions: dict[str, _Session] = {}
        self._closed = False
        self._server = _server(deps)
        self._server.on("connect", self._connect)
        self._server.on("disconnect", self._disconnect)
        self._server.on("subscribe", self._subscribe)
        self._server.on("unsubscribe", self._unsubscribe)
        self._app = engineio.ASGIApp(self._server, engineio_path=None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""

        async def sent(message: Message) -> None:
            if self._closed and message["type"] == "websocket.close":
                message.setdefault("code", GOING_AWAY)
            await send(message)

        await self._app(scope, receive, sent)

    async def close(self) -> None:
        """Say goodbye to everybody, so that their clients reconnect; stop the monitor."""
        self._closed = True
        for session in tuple(self._sessions.values()):
            session.cut("the server is going away")
        await self._server.shutdown()

    def __len__(self) -> int:
        return len(self._sessions)

    async def _connect(self, sid: str, *_: object) -> None:
        engine_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        socket = self._server.eio.sockets[engine_sid]
        self._sessions[sid] = _Session(self._deps, self._hub, socket)

    async def _disconnect(self, sid: str, *_: object) -> None:
        session = self._sessions.pop(sid, None)
        if session:
            session.client.close()

    async def _subscribe(self, sid: str, *args: object) -> dict[str, Any]:
        return self._answer(sid, self._do_subscribe, args)

    async def _unsubscribe(self, sid: str, *args: object) -> dict[str, Any]:
        return self._answer(sid, self._do_unsubscribe, args)

    def _answer(
        self, sid: str, act: Callable[[_Session, object], dict[str, Any]], args: tuple[object, ...]
    ) -> dict[str, Any]:
        """The acknowledgement, sent only where the client asked for one; errors are events too."""
        session = self._sessions[sid]
        if session.rate.exceeded():
            return session.refuse("error", f"rate limiting threshold hit for {sid}!")
        try:
            return {"status": "success", **act(session, args[0] if args else None)}
        except BadToken as refused:
            return session.refuse("auth_failure", str(refused))
        except BadRequest as refused:
            return session.refuse("error", str(refused))
        except Exception:
            log.exception("live.message_failed")
            return session.refuse("error", "internal error, try again")

    def _do_subscribe(self, session: _Session, data: object) -> dict[str, Any]:
        given: Mapping[str, Any] = data if isinstance(data, dict) else {}
        account_id = token_account(self._deps, given.get("auth_token"))
        wanted = read(given, self._deps.limits.subscriptions)
        grant(session.client, wanted, account_id)
        return {"subscribed": [binding.text for binding in wanted.bindings]}

    def _do_unsubscribe(self, session: _Session, data: object) -> dict[str, Any]:
        given = {"binding": data} if isinstance(data, str) else data
        texts = binding_texts(given if isinstance(given, dict) else {})
        ended = session.client.unsubscribe(texts or None)
        return {"unsubscribed": ended, "subscribed": session.client.subscriptions()}


class _Session:
    """One Socket.IO connection; its queue is that of the Engine.IO socket."""

    once = True

    def __init__(self, deps: LiveDeps, hub: Hub, socket: Any) -> None:
        self._limit = deps.limits.buffered_events
        self._socket = socket
        self._queue: _Queue = socket.queue
        self._gone = False
        self.client = hub.client(self)
        self.rate = FrameRate(deps)

    def send(self, wire: Wire, binding: Binding) -> None:  # noqa: ARG002 (Sink's signature)
        """Queue an event; a reader that lets the queue fill up is cut off."""
        if self._gone or self._socket.closed:
            return
        if self._queue.qsize() >= self._limit:
            self._queue.clear()
            self.cut("too slow")
            return
        self._queue.put_nowait(wire.socket_io)

    def crowded(self) -> bool:
        """Is half the queue in use?"""
        return self._queue.qsize() * 2 >= self._limit

    async def room(self) -> None:
        """Wait until less than half of it is."""
        while self.crowded():
            self._queue.drained.clear()
            await self._queue.drained.wait()

    def replay_failed(self) -> None:
        """Close: the client is to come back and resume."""
        self.cut("the log could not be read")

    def cut(self, why: str) -> None:
        """Close the transport (clients reconnect by themselves), with the number to resume from."""
        if self._gone:
            return
        self._gone = True
        resume = resume_after(self.client.starts(), self._queue.reached())
        self.client.close()
        self.refuse("error", f"{why}: resume after {resume}", resume_after=resume)
        self._queue.put_nowait(engine_packet.Packet(engine_packet.CLOSE))
        if self._socket.upgraded:
            self._queue.put_nowait(None)  # ends Engine.IO's writer, which closes the WebSocket

    def refuse(self, event: str, message: str, **more: Any) -> dict[str, Any]:
        """Send an error event; gives the acknowledgement that says the same."""
        text = self._event(event, {"message": message, **more})
        self._queue.put_nowait(engine_packet.Packet(engine_packet.MESSAGE, text))
        return {"status": "error", "message": message}

    def _event(self, name: str, data: Mapping[str, Any]) -> str:
        return str(socketio.packet.Packet(socketio.packet.EVENT, [name, data]).encode())


class _Queue(asyncio.Queue[Any]):
    """Engine.IO's queue to one client, which knows how far its events have been taken.

    Engine.IO's writer takes all that there is before it writes any of it. Here it gets no more
    than ``_BATCH`` at a time, so that what waits for a slow reader is in the queue, and counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self._queue: deque[Any]
        self.drained = asyncio.Event()
        self._taken: dict[str, int] = {}
        self._batch = 0

    async def get(self) -> Any:
        """The first of a batch."""
        self._batch = 0
        return await super().get()

    def get_nowait(self) -> Any:
        """The next of it; QueueEmpty at its end."""
        if self._batch >= _BATCH:
            raise asyncio.QueueEmpty
        packet = super().get_nowait()
        self._batch += 1
        self.drained.set()
        if isinstance(packet, EventPacket):
            self._taken[packet.account_id] = packet.seq
        return packet

    def reached(self) -> dict[str, int]:
        """For each account, the number of the last event taken or waiting to be."""
        waiting = (packet for packet in self._queue if isinstance(packet, EventPacket))
        return {**self._taken, **{packet.account_id: packet.seq for packet in waiting}}

    def clear(self) -> None:
        """Forget what has not been taken."""
        while self.qsize():
            super().get_nowait()


class _Engine(engineio.AsyncServer):  # type: ignore[misc,unused-ignore]
    def create_queue(self, *_: Any, **__: Any) -> _Queue:
        return _Queue()


class _Clients(socketio.AsyncManager):  # type: ignore[misc,unused-ignore]
    """The list of clients without the search through all rooms at a disconnect: there are none."""

    def basic_disconnect(self, sid: str, namespace: str, **_: Any) -> None:
        for room in (sid, None):
            self.basic_leave_room(sid, namespace, room)
        self.callbacks.pop(sid, None)
        for waiting in (self.pending_connect, self.pending_disconnect):
            if sid in waiting.get(namespace, ()):
                waiting[namespace].remove(sid)


class _Server(socketio.AsyncServer):  # type: ignore[misc,unused-ignore]
    def _engineio_server_class(self) -> type[_Engine]:
        return _Engine

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        """Never a dropped connection, a growing buffer or a stack trace for a malformed packet."""
        try:
            if isinstance(data, str) and not data.startswith(_BINARY_PACKETS):
                await super()._handle_eio_message(eio_sid, data)
                return
            problem = "invalid packet: only text events are supported"
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            problem = "invalid packet"
        sid = self.manager.sid_from_eio_sid(eio_sid, "/")
        if sid:
            await self.emit("error", {"message": problem}, to=sid)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        """Let go of a long poll that still waits: Engine.IO would hold it for a ping's time."""
        await super()._handle_eio_disconnect(eio_sid, reason)
        self.eio.sockets[eio_sid].queue.put_nowait(None)


def _server(deps: LiveDeps) -> _Server:
    quiet = logging.getLogger("trunkline.live.socket_io")
    quiet.setLevel(logging.CRITICAL)  # below that it logs whole packets, tokens and all

    def allowed(origin: str | None, environ: Mapping[str, Any]) -> bool:
        return origin_allowed(origin, environ.get("HTTP_HOST"), deps.cors_origins)

    return _Server(
        async_mode="asgi",
        client_manager=_Clients(),
        async_handlers=False,
        cors_allowed_origins=allowed,
        max_http_buffer_size=deps.limits.frame_bytes,
        logger=quiet,
        engineio_logger=quiet,
    )
