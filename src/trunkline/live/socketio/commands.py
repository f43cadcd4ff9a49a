"""What Socket.IO clients may say: ``subscribe`` and ``unsubscribe``, and how they are answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from trunkline.live.http.websocket import TOO_MANY
from trunkline.live.hub.client_commands import TOO_MANY_WAIT, BadRequest, BadToken
from trunkline.live.hub.usage import TooManyConnections
from trunkline.live.socketio.client_packet import Said
from trunkline.live.socketio.sessions import Session

log = structlog.get_logger()

Answer = dict[str, Any]


def answer(session: Session, said: Said) -> None:
    """Act on an event, and acknowledge it where the client asked for that; errors are events too."""
    try:
        session.asker.count()
    except BadRequest as refused:
        _acknowledge(session, said, session.refuse("error", str(refused)))
        return
    if session.in_turn.is_full:
        _acknowledge(session, said, session.refuse("error", TOO_MANY_WAIT))
    else:
        session.in_turn.take(lambda: _answer(session, said))


async def _answer(session: Session, said: Said) -> None:
    if not session.ended:
        _acknowledge(session, said, await _refused_or(session, said))


def _acknowledge(session: Session, said: Said, reply: Answer | None) -> None:
    if reply is not None and said.ack is not None:
        session.send(session.dialect.acknowledge(said.ack, reply))


async def _refused_or(session: Session, said: Said) -> Answer | None:
    act = _COMMANDS.get(said.name)
    try:
        return await act(session, said.args[0] if said.args else None) if act else None
    except BadToken as refused:
        return session.refuse("auth_failure", str(refused))
    except BadRequest as refused:
        return session.refuse("error", str(refused))
    except TooManyConnections as refused:
        session.cut(str(refused), TOO_MANY)
        return None
    except Exception:
        log.exception("live.message_failed")
        return session.refuse("error", "internal error, try again")


async def _subscribe(session: Session, data: object) -> Answer:
    token = data.get("auth_token") if isinstance(data, dict) else None
    wanted = await session.asker.subscribe(token, data)
    return {"status": "success", "subscribed": [binding.text for binding in wanted.bindings]}


async def _unsubscribe(session: Session, data: object) -> Answer:
    ended = session.asker.unsubscribe({"binding": data} if isinstance(data, str) else data)
    left = session.client.subscriptions()
    return {"status": "success", "unsubscribed": ended, "subscribed": left}


_COMMANDS: dict[str, Callable[[Session, object], Awaitable[Answer]]] = {
    "subscribe": _subscribe,
    "unsubscribe": _unsubscribe,
}
