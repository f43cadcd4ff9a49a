"""A server to measure, in a process of its own: ``python -m bench.sockets.server KIND``.

``ours`` is the product's door behind the product's HTTP server, over a log in memory;
``python-socketio`` is that library's server and its own ``emit``, behind stock uvicorn.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import socketio
import uvicorn

from trunkline.bus.local import LocalBus
from trunkline.events.stored import StoredEvent
from trunkline.live import build_live
from trunkline.server.listening import web_server
from trunkline.server.settings import Settings

from . import cast
from .control import Control, Side, nothing, run


class MemoryLog:
    """``db.port.Events`` in memory, one account's."""

    def __init__(self) -> None:
        self._kept: deque[StoredEvent] = deque(maxlen=1000)
        self._seq = 0

    def event(self) -> StoredEvent:
        """The account's next event, stamped with the time."""
        self._seq += 1
        made = StoredEvent(
            cast.account(0),
            self._seq,
            "call",
            "CHANNEL_ANSWER",
            "1732374000.17",
            "5b0c1f9aa54f4e3f8c25d54c0bd5f3a1",
            time.time_ns() // 1000,
            msgspec.json.encode({**cast.payload(), "Event-Seq": self._seq}),
        )
        self._kept.append(made)
        return made

    async def after(self, account_id: str, seq: int, limit: int) -> list[StoredEvent]:
        return [event for event in self._kept if event.seq > seq][:limit]

    async def bounds(self, account_id: str) -> tuple[int, int]:
        return (self._kept[0].seq if self._kept else self._seq + 1, self._seq)


class Ours:
    """The product's door and HTTP server."""

    def __init__(self) -> None:
        self._log, self._bus = MemoryLog(), LocalBus()
        deps = cast.live_deps(self._log, cast.EveryToken(1), self._bus)
        self._live = build_live(deps, nothing)
        self.server: uvicorn.Server = web_server(Settings(), self._live)

    async def publish(self) -> None:
        self._bus.publish([self._log.event()])

    def connections(self) -> int:
        return sum(self._live.connections().values())


class PythonSocketio:
    """python-socketio's server with its own rooms and its own emit."""

    def __init__(self) -> None:
        self._log = MemoryLog()
        self._server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
        self._server.on("subscribe", self._subscribe)
        config = uvicorn.Config(
            socketio.ASGIApp(self._server),
            loop="none",
            http="httptools",
            ws="websockets-sansio",
            log_config=None,
            access_log=False,
        )
        self.server = uvicorn.Server(config)

    async def publish(self) -> None:
        event = self._log.event()
        await self._server.emit(event.name, msgspec.json.decode(event.body), room=event.account_id)

    def connections(self) -> int:
        return len(self._server.eio.sockets)

    async def _subscribe(self, sid: str, data: dict[str, Any]) -> dict[str, str]:
        await self._server.enter_room(sid, data["account_id"])
        return {"status": "success"}


KINDS: dict[str, Callable[[], Side]] = {"ours": Ours, "python-socketio": PythonSocketio}


if __name__ == "__main__":
    run(Control(KINDS[sys.argv[1]]()))
