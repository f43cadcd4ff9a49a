"""The raw WebSocket: Kazoo 4's frames (applications/blackhole in its sources)."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog

from trunkline.live.asgi import Receive, Scope, Send, header
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
from trunkline.live.wire import Wire

log = structlog.get_logger()

PATH = "/oapi/v1/voice/events"
TOO_SLOW = 4008
GOING_AWAY = 1012
FAILED = 1011


class KazooSockets:
    """The ASGI handler of the raw WebSocket, and all its open connections."""

    def __init__(self, deps: LiveDeps, hub: Hub) -> None:
        self._deps = deps
        self._hub = hub
        self._open: dict[_Connection, None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket until it ends."""
        await receive()
        origin, host = header(scope, b"origin"), header(scope, b"host")
        if not origin_allowed(origin, host, self._deps.cors_origins):
            await send({"type": "websocket.close", "code": 1008})
            return
        await send({"type": "websocket.accept"})
        connection = _Connection(self._deps, self._hub, receive, send)
        self._open[connection] = None
        try:
            await connection.run()
        finally:
            del self._open[connection]

    def close(self) -> None:
        """Say goodbye to everybody: 1012, with the number to resume after."""
        for connection in tuple(self._open):
            connection.cut(GOING_AWAY)

    def __len__(self) -> int:
        return len(self._open)


class _Connection:
    """One WebSocket: a reader that answers frames, a writer that empties the queue."""

    once = False

    def __init__(self, deps: LiveDeps, hub: Hub, receive: Receive, send: Send) -> None:
        self._deps, self._limits = deps, deps.limits
        self._receive, self._send = receive, send
        self._client = hub.client(self)
        self._rate = FrameRate(deps)
        self._name = uuid.uuid4().hex
        self._token: object = None
        self._queue: deque[tuple[Wire | None, str]] = deque()
        self._filled, self._drained = asyncio.Event(), asyncio.Event()
        self._written: dict[str, int] = {}
        self._starts: dict[str, int] = {}
        self._closing: int | None = None
        self._writer: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Both directions, until either ends."""
        self._writer = asyncio.create_task(self._write())
        tasks = {self._writer, asyncio.create_task(self._read())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._client.close()
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                self._report(outcome)

    def send(self, wire: Wire, binding: Binding) -> None:
        """Queue an event; a reader that lets the queue fill up is cut off."""
        if self._closing is not None:
            return
        if len(self._queue) >= self._limits.buffered_events:
            self._queue.clear()
            self.cut(TOO_SLOW)
            return
        self._put(wire, wire.kazoo(binding))

    def crowded(self) -> bool:
        """Is half the queue in use?"""
        return len(self._queue) * 2 >= self._limits.buffered_events

    async def room(self) -> None:
        """Wait until less than half of it is."""
        while self.crowded():
            self._drained.clear()
            await self._drained.wait()

    def replay_failed(self) -> None:
        """Close: the client is to come back and resume."""
        self.cut(FAILED)

    def cut(self, code: int) -> None:
        """Send what is queued and then a close frame with the number to resume after."""
        if self._closing is not None:
            return
        self._closing, self._starts = code, self._client.starts()
        self._client.close()
        self._filled.set()
        if self._writer:
            loop = asyncio.get_running_loop()
            loop.call_later(self._limits.stall_seconds, self._writer.cancel)

    def _put(self, wire: Wire | None, text: str) -> None:
        self._queue.append((wire, text))
        self._filled.set()

    async def _write(self) -> None:
        while True:
            while self._queue:
                await self._write_one(*self._queue.popleft())
            if self._closing is not None:
                break
            self._filled.clear()
            await self._filled.wait()
        reason = f"resume after {resume_after(self._starts, self._written)}"
        reason = reason if self._starts else ""
        await self._send({"type": "websocket.close", "code": self._closing, "reason": reason})

    async def _write_one(self, wire: Wire | None, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})
        if wire:
            self._written[wire.event.account_id] = wire.event.seq
        if not self.crowded():
            self._drained.set()

    async def _read(self) -> None:
        while (message := await self._receive())["type"] == "websocket.receive":
            await self.room()
            self._put(None, self._answer(message.get("text")))

    def _answer(self, text: str | None) -> str:
        request_id: object = uuid.uuid4().hex
        try:
            frame = self._frame(text)
            request_id = frame.get("request_id", request_id)
            return _reply(request_id, "success", self._act(frame))
        except (BadRequest, BadToken) as refused:
            return _reply(request_id, "error", {"errors": [str(refused)]})
        except Exception:
            log.exception("live.frame_failed")
            return _reply(request_id, "error", {"errors": ["internal error, try again"]})

    def _frame(self, text: str | None) -> dict[str, Any]:
        if self._rate.exceeded():
            raise BadRequest(f"rate limiting threshold hit for {self._name}!")
        if text is None:
            raise BadRequest("binary frames are not supported: send JSON as text")
        if len(text.encode()) > self._limits.frame_bytes:
            raise BadRequest(f"frame too large: at most {self._limits.frame_bytes} bytes")
        return _decoded(text)

    def _act(self, frame: Mapping[str, Any]) -> dict[str, Any]:
        match frame.get("action"):
            case "ping":
                return {"response": "pong"}
            case "subscribe":
                return self._subscribe(frame)
            case "unsubscribe":
                return self._unsubscribe(frame.get("data"))
            case other:
                raise BadRequest(f"action {str(other)[:64]} not supported")

    def _subscribe(self, frame: Mapping[str, Any]) -> dict[str, Any]:
        account_id = self._authenticated(frame.get("auth_token"))
        wanted = read(frame.get("data"), self._limits.subscriptions)
        grant(self._client, wanted, account_id)
        return {
            "subscribed": [binding.text for binding in wanted.bindings],
            "subscriptions": self._client.subscriptions(),
        }

    def _authenticated(self, token: object) -> str:
        """A connection that has shown its token need not show it again, as long as it is valid."""
        token = self._token if token is None else token
        if token is None or token == "":
            raise BadToken("authentication token required")
        if not isinstance(token, str):
            raise BadToken("invalid authentication token format")
        account_id = token_account(self._deps, token)
        self._token = token
        return account_id

    def _unsubscribe(self, data: object) -> dict[str, Any]:
        texts = binding_texts(data if isinstance(data, dict) else {})
        ended = self._client.unsubscribe(texts or None)
        return {"unsubscribed": ended, "subscriptions": self._client.subscriptions()}

    def _report(self, outcome: object) -> None:
        quiet = (OSError, asyncio.CancelledError)  # uvicorn's ClientDisconnected is an OSError
        if isinstance(outcome, BaseException) and not isinstance(outcome, quiet):
            log.error("live.connection_failed", exc_info=outcome)


def _decoded(text: str) -> dict[str, Any]:
    with contextlib.suppress(msgspec.DecodeError, RecursionError):
        frame = msgspec.json.decode(text)
        if isinstance(frame, dict):
            return frame
    raise BadRequest("invalid frame: not a JSON object")


def _reply(request_id: object, status: str, data: Mapping[str, Any]) -> str:
    frame = {"action": "reply", "request_id": request_id, "status": status, "data": data}
    return msgspec.json.encode(frame).decode()
