"""What runs in one API process: the doors, on the database of a main server.

Nothing here drives the engine, follows its log, delivers webhooks or deletes what is old. The main server
does that, and is asked where something of it is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from trunkline.server.main_server_client import MainServerClient
from trunkline.store.ports.database import Database
from trunkline.work.upkeep.vital_signs import Vitals

_LOOK_EVERY = 1.0


class ApiVitals:
    """How an API process is doing (``work.upkeep.vital_signs.VitalSigns``)."""

    def __init__(self, main: MainServerClient, hears: Callable[[], bool]) -> None:
        self._main, self._hears = main, hears
        self._looked: tuple[float, str] = (-_LOOK_EVERY, "")
        self.draining = False
        self.event_connections: Callable[[], Mapping[str, int]] = dict
        """Counts the clients that are connected for events; set once there is somebody to ask."""
        self.connections_refused: Callable[[], int] = int
        """The same of those that were refused."""

    async def read(self) -> Vitals:
        """The main server is asked at most once a second."""
        asked_at, trouble = self._looked
        if time.monotonic() - asked_at >= _LOOK_EVERY:
            trouble = await self._main.trouble()
            self._looked = (time.monotonic(), trouble)
        return Vitals(
            engine_up=None,
            draining=self.draining,
            main_trouble=trouble,
            hears_events=self._hears(),
            event_connections=self.event_connections(),
            connections_refused=self.connections_refused(),
        )


@dataclass(kw_only=True)
class ApiProcess:
    """The parts of an API process; ``running`` runs all of them but the web."""

    db: Database
    run_bus: Callable[[], Coroutine[Any, Any, None]]
    bus_ready: asyncio.Event
    main: MainServerClient
    vitals: ApiVitals

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """New events arrive inside."""
        bus = asyncio.create_task(self.run_bus())
        try:
            await self.bus_ready.wait()
            yield
        finally:
            bus.cancel()
            await asyncio.gather(bus, return_exceptions=True)
            await self.main.close()
            await self.db.close()
