"""The raw WebSocket: Kazoo 4's frames (applications/blackhole in its sources)."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog

from trunkline.live.deps import LiveDeps
from trunkline.live.http.addresses import TooManyOfAddress
from trunkline.live.http.websocket import (
    FAILED,
    GOING_AWAY,
    NO_SIGN_IN,
    TOO_MANY,
    TOO_SLOW,
    WebSocket,
)
from trunkline.live.hub.client_commands import TOO_MANY_WAIT, BadToken, ClientCommands
from trunkline.live.hub.command_queue import CommandQueue
from trunkline.live.hub.hub import Hub
from trunkline.live.hub.sign_ins import NOT_SIGNED_IN, REVOKED, SignIns
from trunkline.live.hub.subscribe_request import BadRequest
from trunkline.live.hub.usage import TooManyConnections
from trunkline.live.hub.wire import Encoding

log = structlog.get_logger()

PATH = "/oapi/v1/voice/events"
PATHS = frozenset({PATH, "/"})
"""Where it is: Kazoo's published samples connect to the bare host."""


class KazooSockets:
    """Makes the handlers of the raw WebSocket, and knows those that are open."""

    def __init__(self, deps: LiveDeps, hub: Hub) -> None:
        self._deps = deps
        self._hub = hub
        self._sign_ins = SignIns(deps.limits.sign_in_seconds)
        self.open: dict[KazooSocket, None] = {}

    def handler(self) -> KazooSocket:
        return KazooSocket(self._deps, self._hub, self.open, self._sign_ins)

    def close(self) -> None:
        """Close every connection with 1012 and the number to resume after."""
        for connection in tuple(self.open):
            connection.end(GOING_AWAY)

    def __len__(self) -> int:
        return len(self.open)


class KazooSocket:
    """One connection: its frames are answered, and the hub writes its events to it."""

    __slots__ = (
        *("_command_queue", "_commands", "_open", "_sign_ins", "_socket", "_token"),
        *("deps", "write"),
    )

    once = False
    encoding = Encoding.KAZOO_WS
    write: Callable[[Any], None]

    def __init__(
        self, deps: LiveDeps, hub: Hub, open_: dict[KazooSocket, None], sign_ins: SignIns
    ) -> None:
        self.deps, self._open, self._sign_ins = deps, open_, sign_ins
        self._commands = ClientCommands(
            deps,
            hub.usage,
            hub.app_checks,
            hub.client(self),
            uuid.uuid4().hex,
            self._signed_in,
            self._revoked,
        )
        self._command_queue = CommandQueue(deps.limits.frames_per_second)
        self._token: object = None
        self._socket: WebSocket

    def opened(self, socket: WebSocket) -> None:
        self._socket, self.write = socket, socket.write
        self._open[self] = None
        self._sign_ins.expect(self)

    def _signed_in(self) -> None:
        self._sign_ins.forget(self)
        self._socket.sign_in()

    def _revoked(self) -> None:
        self._socket.close(NO_SIGN_IN, REVOKED)

    def send_away(self) -> None:
        self._socket.close(NO_SIGN_IN, NOT_SIGNED_IN)

    def received(self, data: str | bytes) -> None:
        request_id: object = uuid.uuid4().hex
        try:
            frame = self._frame(data)
        except BadRequest as refused:
            self._socket.send_text(_reply(request_id, "error", {"errors": [str(refused)]}))
            return
        request_id = frame.get("request_id", request_id)
        self._command_queue.take(lambda: self._reply_to(request_id, frame))

    def congested(self) -> None:
        self._commands.client.congested()

    def flowing(self) -> None:
        self._commands.client.flowing()

    def closed(self) -> None:
        self._open.pop(self, None)
        self._sign_ins.forget(self)
        self._command_queue.close()
        self._commands.close()

    def buffered(self) -> int:
        return self._socket.buffered()

    def fell_behind(self, resume: int) -> None:
        self._socket.close(TOO_SLOW, f"resume after {resume}")
        self._socket.when_lost(self._commands.client.gone)

    async def room(self) -> None:
        await self._socket.room()

    def failed(self) -> None:
        self.end(FAILED)

    def end(self, code: int) -> None:
        """Close with the number to resume after, where anything was subscribed to."""
        resume = self._commands.client.resume_after()
        self._socket.close(code, "" if resume is None else f"resume after {resume}")

    async def _reply_to(self, request_id: object, frame: Mapping[str, Any]) -> None:
        answer = await self._answer(request_id, frame)
        if answer is not None and self in self._open:
            self._socket.send_text(answer)

    async def _answer(self, request_id: object, frame: Mapping[str, Any]) -> str | None:
        try:
            return _reply(request_id, "success", await self._act(frame))
        except (BadRequest, BadToken) as refused:
            return _reply(request_id, "error", {"errors": [str(refused)]})
        except (TooManyConnections, TooManyOfAddress) as refused:
            self._socket.close(TOO_MANY, str(refused))
            return None
        except Exception:
            log.exception("live.frame_failed")
            return _reply(request_id, "error", {"errors": ["internal error, try again"]})

    def _frame(self, data: str | bytes) -> dict[str, Any]:
        self._commands.count()
        if self._command_queue.is_full:
            raise BadRequest(TOO_MANY_WAIT)
        if isinstance(data, bytes):
            raise BadRequest("binary frames are not supported: send JSON as text")
        most = self.deps.limits.frame_bytes
        if len(data.encode()) > most:
            raise BadRequest(f"frame too large: at most {most} bytes")
        return _decoded(data)

    async def _act(self, frame: Mapping[str, Any]) -> dict[str, Any]:
        match frame.get("action"):
            case "ping":
                return {"response": "pong"}
            case "subscribe":
                return await self._subscribe(frame)
            case "unsubscribe":
                ended = self._commands.unsubscribe(frame.get("data"))
                return {"unsubscribed": ended, "subscriptions": self._subscriptions()}
            case other:
                raise BadRequest(f"action {str(other)[:64]} not supported")

    async def _subscribe(self, frame: Mapping[str, Any]) -> dict[str, Any]:
        token = self._shown(frame.get("auth_token"))
        try:
            wanted = await self._commands.subscribe(token, frame.get("data"))
        except BadRequest:
            self._token = token  # the token was good
            raise
        self._token = token
        return {
            "subscribed": [binding.text for binding in wanted.bindings],
            "subscriptions": self._subscriptions(),
        }

    def _shown(self, token: object) -> str:
        """The token; a connection that has shown one need not show it again while it is valid."""
        token = self._token if token is None else token
        if token is None or token == "":
            raise BadToken("authentication token required")
        if not isinstance(token, str):
            raise BadToken("invalid authentication token format")
        return token

    def _subscriptions(self) -> list[str]:
        return self._commands.client.subscriptions()


def _decoded(text: str) -> dict[str, Any]:
    with contextlib.suppress(msgspec.DecodeError, RecursionError):
        frame = msgspec.json.decode(text)
        if isinstance(frame, dict):
            return frame
    raise BadRequest("invalid frame: not a JSON object")


def _reply(request_id: object, status: str, data: Mapping[str, Any]) -> str:
    frame = {"action": "reply", "request_id": request_id, "status": status, "data": data}
    return msgspec.json.encode(frame).decode()
