"""The event sockets in front of the HTTP door: one port serves both."""

from __future__ import annotations

from collections.abc import Mapping

from trunkline.live import kazoo, sse
from trunkline.live.deps import LiveDeps
from trunkline.live.http.asgi import ASGIApp, Message, Receive, Scope, Send
from trunkline.live.http.origin import origin_allowed
from trunkline.live.http.websocket import Refusal, SocketHandler, WebSockets
from trunkline.live.hub.app_checks import AppChecks
from trunkline.live.hub.hub import Hub
from trunkline.live.hub.usage import Usage
from trunkline.live.socketio import socket_io

_FORBIDDEN = Refusal(403, b"this page's origin may not connect\n")
_NOT_FOUND = Refusal(404, b"no WebSocket here\n")
_UNAVAILABLE = Refusal(503, headers=(("Retry-After", "1"),))


class Live:
    """An ASGI app: the sockets' paths are served here, all else by the wrapped app.

    uvicorn needs ``Config(app=live, http=EventHttp, ws=live.sockets)``: WebSockets do not come by
    ASGI, and streams need the connection itself.

    ``await close()`` before the HTTP server stops: every socket is closed with 1012, streams end,
    and long polls come back; doing it again does nothing. The lifespan's shutdown closes, too.
    """

    def __init__(self, deps: LiveDeps, api: ASGIApp) -> None:
        self._api = api
        self._deps = deps
        checks = AppChecks(deps.app_good, deps.limits.keep_alive_seconds)
        usage = Usage(deps.limits, deps.clock)
        self._hub = Hub(deps.events, deps.limits, usage, deps.clock, checks)
        self._kazoo = kazoo.KazooSockets(deps, self._hub)
        self._socket_io = socket_io.SocketIO(deps, self._hub)
        self._streams = sse.EventStreams(deps, self._hub)
        self._stop_listening = deps.bus.listen(self._hub.deliver, self._hub.wants)
        self._closed = False
        self.sockets = WebSockets(self._handler, deps.limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._api(scope, self._watched(receive), send)
            return
        door = self._door(scope)
        if self._closed and door is self._socket_io:
            await _unavailable(send)
            return
        await door(scope, receive, send)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._stop_listening()
        self._kazoo.close()
        self._streams.close()
        self._socket_io.close()

    def connections(self) -> dict[str, int]:
        """How many clients are connected, by transport (for the metrics)."""
        return {
            "socket_io": len(self._socket_io),
            "websocket": len(self._kazoo),
            "sse": len(self._streams),
        }

    def _door(self, scope: Scope) -> ASGIApp:
        path = _as_it_came(scope)
        if socket_io.PATHS.fullmatch(path):
            return self._socket_io
        if path == sse.PATH and scope["method"] != "OPTIONS":
            return self._streams
        return self._api

    def _handler(
        self, path: str, query: str, headers: Mapping[str, str]
    ) -> SocketHandler | Refusal:
        is_socket_io = socket_io.PATHS.fullmatch(path) is not None
        if not is_socket_io and path not in kazoo.PATHS:
            return _NOT_FOUND
        if self._closed:
            return _UNAVAILABLE
        if is_socket_io:
            return self._socket_io.handler(path, query, headers)
        if not origin_allowed(headers.get("origin"), headers.get("host"), self._deps.cors_origins):
            return _FORBIDDEN
        return self._kazoo.handler()

    def _watched(self, receive: Receive) -> Receive:
        async def watched() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self.close()
            return message

        return watched


def build_live(deps: LiveDeps, api: ASGIApp) -> Live:
    """Put the event sockets in front of ``api``; listens on the bus from now on."""
    return Live(deps, api)


def _as_it_came(scope: Scope) -> str:
    """The path before any escape is undone: each is reached in one form only."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")


async def _unavailable(send: Send) -> None:
    headers = [(b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
