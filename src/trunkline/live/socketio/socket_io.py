"""Socket.IO at ``/socket.io/``: clients 1 to 4 by Engine.IO, those of 0.9 under ``/socket.io/1/``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qs

from trunkline.live.deps import LiveDeps
from trunkline.live.http.addresses import Place, TooManyOfAddress
from trunkline.live.http.asgi import Receive, Scope, Send
from trunkline.live.http.origin import origin_allowed
from trunkline.live.http.websocket import GOING_AWAY, Refusal, SocketHandler
from trunkline.live.hub.hub import Hub
from trunkline.live.hub.sign_ins import SignIns
from trunkline.live.socketio import engine_io
from trunkline.live.socketio import packets_09 as socket_io_09
from trunkline.live.socketio import polling as socket_io_http
from trunkline.live.socketio.commands import answer
from trunkline.live.socketio.engine_io import RequestError
from trunkline.live.socketio.revisions import SESSIONS, SocketIO09Session
from trunkline.live.socketio.sessions import Session, SessionContext
from trunkline.live.socketio.timers import HeartbeatTimes
from trunkline.live.socketio.websocket_transport import TransportUpgrade, WebSocketTransport

OLD_PATH = "/socket.io/1/"
PATHS = re.compile(r"/socket\.io/(1/(/[\w-]+/|[\w-]+(/[\w-]+)?)?)?", re.ASCII)
"""All of ours: Engine.IO's; of 0.9 the handshake's, a transport's with its sid, and the end's: its client says ``1//SID/``."""

_TRANSPORTS = ("polling", "websocket")


class RequestAborted(Exception):
    """The request gets this HTTP answer, and nothing else happens."""

    def __init__(self, status: int, body: bytes = b"") -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.body = status, body


class Request:
    """What is looked at of a request; ``steps`` are the path's after ``/socket.io/1/``."""

    def __init__(
        self, method: str, path: str, query: str, headers: Mapping[str, str], address: str = ""
    ) -> None:
        self.method, self.headers, self.address = method, headers, address
        self.query = {name: values[0] for name, values in parse_qs(query, True).items()}
        self.old = path.startswith(OLD_PATH)
        self.steps = [step for step in path.removeprefix(OLD_PATH).split("/") if step]


class SocketIO:
    """The HTTP handler (ASGI) and the WebSocket handlers of ``/socket.io/``, and all sessions."""

    def __init__(self, deps: LiveDeps, hub: Hub, times: HeartbeatTimes | None = None) -> None:
        self._deps = deps
        sign_ins = SignIns(deps.limits.sign_in_seconds)
        self._context = SessionContext(deps, hub, times or HeartbeatTimes(), answer, sign_ins)

    def __len__(self) -> int:
        return len(self._context.sessions)

    def close(self) -> None:
        """End every session so that its client comes back."""
        for session in tuple(self._context.sessions.values()):
            session.cut("the server is going away", GOING_AWAY)

    def handler(self, path: str, query: str, headers: Mapping[str, str]) -> SocketHandler | Refusal:
        """What takes a WebSocket, or the HTTP answer that refuses it."""
        request = Request("GET", path, query, headers)
        try:
            self._check_origin(request)
            return self._transport_09(request) if request.old else self._transport(request)
        except RequestAborted as aborted:
            return Refusal(aborted.status, aborted.body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = _request(scope)
        allowed: socket_io_http.Headers = []
        try:
            self._check_origin(request)
            allowed = socket_io_http.cross_origin(request.headers)
            body = await self._served(request, receive)
            await socket_io_http.respond(send, body, allowed)
        except RequestAborted as aborted:
            await socket_io_http.respond(send, aborted.body, allowed, aborted.status)

    def _check_origin(self, request: Request) -> None:
        origin, host = request.headers.get("origin"), request.headers.get("host")
        if not origin_allowed(origin, host, self._deps.cors_origins):
            raise _aborted(engine_io.FORBIDDEN)

    async def _served(self, request: Request, receive: Receive) -> bytes:
        if request.method == "OPTIONS":
            return b""
        if request.old:
            return await self._serve_09(request, receive)
        session = self._engine(request)
        if request.query["transport"] == "websocket" or (session and session.poll_queue is None):
            raise _aborted(engine_io.BAD_REQUEST)
        if session is None:
            return self._handshake(request)
        if request.method == "POST":
            return await self._take(session, receive, b"ok")
        return await self._poll(session, receive)

    # Engine.IO.

    def _engine(self, request: Request) -> Session | None:
        """The session that the request is for, None for a new one; raises RequestAborted."""
        version = engine_io.revision(request.query.get("EIO"))
        if request.query.get("transport") not in _TRANSPORTS:
            raise _aborted(engine_io.TRANSPORT_UNKNOWN)
        if version is None:
            raise _aborted(engine_io.VERSION_UNKNOWN)
        if not request.query.get("sid"):
            if request.method != "GET":
                raise _aborted(engine_io.BAD_HANDSHAKE)
            return None
        session = self._context.sessions.get(request.query["sid"])
        if session is None or isinstance(session, SocketIO09Session):
            raise _aborted(engine_io.SID_UNKNOWN)
        if session.version != version or request.method not in ("GET", "POST"):
            raise _aborted(engine_io.BAD_REQUEST)
        return session

    def _transport(self, request: Request) -> SocketHandler:
        session = self._engine(request)
        if request.query["transport"] != "websocket":
            raise _aborted(engine_io.BAD_REQUEST)
        if session is None:
            return WebSocketTransport(self._new(request, None), greets=True)
        if session.poll_queue is None or session.upgrading:
            raise _aborted(engine_io.BAD_REQUEST)
        return TransportUpgrade(self._context, session)

    def _new(self, request: Request, place: Place | None) -> Session:
        version = engine_io.revision(request.query.get("EIO")) or 3
        return SESSIONS[version](self._context, place)

    def _place(self, request: Request) -> Place:
        """For a session that no connection stands for: nobody may have any number of them."""
        try:
            return self._deps.addresses.enter(request.address)
        except TooManyOfAddress as refused:
            raise RequestAborted(429, str(refused).encode()) from None

    def _handshake(self, request: Request) -> bytes:
        session = self._new(request, self._place(request))
        poll_queue = session.use_polling()
        session.greet(upgrades=["websocket"])
        return session.codec.payload(poll_queue.take_all()).encode()

    async def _poll(self, session: Session, receive: Receive) -> bytes:
        if session.poll_queue is not None and session.poll_queue.polled:
            session.end()
            raise _aborted(engine_io.BAD_REQUEST)
        payload = await socket_io_http.poll(session, receive, None)
        if payload is None:
            session.end()
        return payload or b""

    async def _take(self, session: Session, receive: Receive, done: bytes) -> bytes:
        most = self._deps.limits.frame_bytes
        payload = await socket_io_http.body(receive, most)
        if payload is None:
            raise RequestAborted(413, f"at most {most} bytes".encode())
        if not socket_io_http.take(session, payload):
            raise _aborted(engine_io.BAD_REQUEST)
        return done

    # Socket.IO 0.9.

    async def _serve_09(self, request: Request, receive: Receive) -> bytes:
        if request.method not in ("GET", "POST"):
            raise RequestAborted(405)
        if not request.steps:
            return self._handshake_09(request)
        session = self._session_09(request)
        if "disconnect" in request.query:
            session.end()
            return b""
        if request.steps[0] != "xhr-polling":
            raise RequestAborted(404)
        if request.method == "POST":
            if session.socket is None:
                session.use_polling()
            return await self._take(session, receive, b"1")
        return await self._poll_09(session, receive)

    def _handshake_09(self, request: Request) -> bytes:
        times = self._context.times
        sid = SocketIO09Session(self._context, self._place(request)).sid
        return socket_io_09.handshake(sid, times.silence, times.silence).encode()

    def _session_09(self, request: Request) -> SocketIO09Session:
        session = self._context.sessions.get(request.steps[-1])
        if not isinstance(session, SocketIO09Session):
            raise RequestAborted(404)
        return session

    def _transport_09(self, request: Request) -> SocketHandler:
        if request.steps[:1] != ["websocket"]:
            raise RequestAborted(404)
        return WebSocketTransport(self._session_09(request))

    async def _poll_09(self, session: SocketIO09Session, receive: Receive) -> bytes:
        session.heard()
        payload = await socket_io_http.poll(session, receive, self._context.times.beat)
        session.heard()
        return payload or b""


def _request(scope: Scope) -> Request:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = scope["query_string"].decode("latin-1")
    address = (scope.get("client") or ("",))[0]
    return Request(scope["method"], scope["path"], query, headers, address)


def _aborted(error: RequestError) -> RequestAborted:
    return RequestAborted(error.status, error.body())
