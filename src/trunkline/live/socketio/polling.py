"""Socket.IO by HTTP: handshakes and long polling."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from trunkline.live.http.asgi import Receive, Send
from trunkline.live.socketio.client_packet import PacketInvalid
from trunkline.live.socketio.poll_queue import PollQueue
from trunkline.live.socketio.sessions import Session

BATCH = 16
"""Packets in the answer to one poll: python-engineio's client takes no more."""
PROBING = 0.1
"""How long a poll is held while its session is being upgraded (the reference server's interval)."""

Headers = list[tuple[bytes, bytes]]


async def respond(
    send: Send, body: bytes, headers: Headers, status: int = 200, kind: str = "text/plain"
) -> None:
    """Send a whole answer; ``headers`` are added to its own."""
    own = [
        (b"content-type", f"{kind}; charset=UTF-8".encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": own + headers})
    await send({"type": "http.response.body", "body": body})


async def body(receive: Receive, most: int) -> bytes | None:
    """The request's body; None where it is longer than ``most`` bytes, or the client went away."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


async def poll(session: Session, receive: Receive, seconds: float | None) -> bytes | None:
    """Hold a poll until packets wait, at most so long, and return its payload.

    None: the client has gone away, and nothing was taken.
    """
    poll_queue = session.use_polling()
    await receive()  # the request itself, without a body
    gone = asyncio.ensure_future(receive())
    gone.add_done_callback(lambda over: None if over.cancelled() else poll_queue.wake())
    try:
        mine = await poll_queue.filled(PROBING if session.upgrading else seconds)
        return None if gone.done() else _taken(session, poll_queue if mine else PollQueue())
    finally:
        gone.cancel()


def _taken(session: Session, poll_queue: PollQueue) -> bytes:
    packets = poll_queue.take(BATCH)
    session.taken()
    session.polled()
    return session.codec.payload(packets or [session.codec.idle]).encode()


def take(session: Session, payload: bytes) -> bool:
    """Act on the packets of a POST; False where it is no payload, and none was acted on."""
    try:
        packets = session.codec.packets(payload.decode())
    except (PacketInvalid, UnicodeDecodeError):
        return False
    for packet in packets:
        if not session.ended:
            session.received(packet)
    return True


def cross_origin(request: Mapping[str, str]) -> Headers:
    """The CORS headers for a request whose Origin is allowed; a preflight's answers with them.

    Credentials are allowed, which clients 0.9 to 2 insist on: there are none that we look at.
    """
    if "origin" not in request:
        return []
    headers = {
        "access-control-allow-origin": request["origin"],
        "access-control-allow-credentials": "true",
        "vary": "Origin",
    }
    if "access-control-request-method" in request:
        headers["access-control-allow-methods"] = "GET, POST, OPTIONS"
        headers["access-control-max-age"] = "600"
    if "access-control-request-headers" in request:
        headers["access-control-allow-headers"] = request["access-control-request-headers"]
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
