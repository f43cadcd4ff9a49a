"""The events that Socket.IO clients may send, ``subscribe`` and ``unsubscribe``, and their answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from trunkline.live.http.addresses import TooManyOfAddress
from trunkline.live.http.websocket import TOO_MANY
from trunkline.live.hub.client_commands import TOO_MANY_WAIT, BadToken
from trunkline.live.hub.subscribe_request import BadRequest
from trunkline.live.hub.usage import TooManyConnections
from trunkline.live.socketio.client_packet import ClientPacket
from trunkline.live.socketio.sessions import Session

log = structlog.get_logger()

Answer = dict[str, Any]


def answer(session: Session, packet: ClientPacket) -> None:
    """Do what an event asks for, and acknowledge it if the client wants that; errors are events, too."""
    try:
        session.commands.count()
    except BadRequest as refused:
        _acknowledge(session, packet, session.refuse("error", str(refused)))
        return
    if session.command_queue.is_full:
        _acknowledge(session, packet, session.refuse("error", TOO_MANY_WAIT))
    else:
        session.command_queue.take(lambda: _answer(session, packet))


async def _answer(session: Session, packet: ClientPacket) -> None:
    if not session.ended:
        _acknowledge(session, packet, await _refused_or(session, packet))


def _acknowledge(session: Session, packet: ClientPacket, reply: Answer | None) -> None:
    if reply is not None and packet.ack is not None:
        session.send(session.codec.acknowledge(packet.ack, reply))


async def _refused_or(session: Session, packet: ClientPacket) -> Answer | None:
    act = _COMMANDS.get(packet.name)
    try:
        return await act(session, packet.args[0] if packet.args else None) if act else None
    except BadToken as refused:
        return session.refuse("auth_failure", str(refused))
    except BadRequest as refused:
        return session.refuse("error", str(refused))
    except (TooManyConnections, TooManyOfAddress) as refused:
        session.cut(str(refused), TOO_MANY)
        return None
    except Exception:
        log.exception("live.message_failed")
        return session.refuse("error", "internal error, try again")


async def _subscribe(session: Session, data: object) -> Answer:
    token = data.get("auth_token") if isinstance(data, dict) else None
    wanted = await session.commands.subscribe(token, data)
    return {"status": "success", "subscribed": [binding.text for binding in wanted.bindings]}


async def _unsubscribe(session: Session, data: object) -> Answer:
    ended = session.commands.unsubscribe({"binding": data} if isinstance(data, str) else data)
    left = session.client.subscriptions()
    return {"status": "success", "unsubscribed": ended, "subscribed": left}


_COMMANDS: dict[str, Callable[[Session, object], Awaitable[Answer]]] = {
    "subscribe": _subscribe,
    "unsubscribe": _unsubscribe,
}
