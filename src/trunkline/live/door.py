"""The event sockets in front of the HTTP door: one port serves both."""

from __future__ import annotations

from trunkline.live import kazoo, socket_io
from trunkline.live.asgi import ASGIApp, Message, Receive, Scope, Send
from trunkline.live.deps import LiveDeps
from trunkline.live.hub import Hub


class Live:
    """An ASGI app: the sockets' paths are served here, all else by the wrapped app.

    ``await close()`` before the HTTP server stops: every socket is closed with 1012 and long polls
    come back. The lifespan's shutdown closes too, where nobody has.
    """

    def __init__(self, deps: LiveDeps, api: ASGIApp) -> None:
        self._api = api
        self._hub = Hub(deps.events, deps.limits)
        self._kazoo = kazoo.KazooSockets(deps, self._hub)
        self._socket_io = socket_io.SocketIO(deps, self._hub)
        self._stop_listening = deps.bus.listen(self._hub.deliver)
        self._closed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._api(scope, self._watched(receive), send)
            return
        door = self._door(scope)
        if self._closed and door is not self._api:
            await _unavailable(scope, send)
            return
        await door(scope, receive, send)

    async def close(self) -> None:
        """Close every socket; doing it again does nothing."""
        if self._closed:
            return
        self._closed = True
        self._stop_listening()
        self._kazoo.close()
        await self._socket_io.close()

    def connections(self) -> dict[str, int]:
        """How many clients are connected, by transport (for the metrics)."""
        return {"socket_io": len(self._socket_io), "websocket": len(self._kazoo)}

    def _door(self, scope: Scope) -> ASGIApp:
        path: str = scope["path"]
        if f"{path}/".startswith(socket_io.PATH):
            return self._socket_io
        if scope["type"] == "websocket" and path.rstrip("/") == kazoo.PATH:
            return self._kazoo
        return self._api

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


async def _unavailable(scope: Scope, send: Send) -> None:
    kind = "websocket.http" if scope["type"] == "websocket" else "http"
    start = {"type": f"{kind}.response.start", "status": 503, "headers": [(b"retry-after", b"1")]}
    await send(start)
    await send({"type": f"{kind}.response.body", "body": b""})
