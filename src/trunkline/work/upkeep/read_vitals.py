"""Read how the running system is doing from the parts that know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from trunkline.bus.port import Bus
from trunkline.engine.port import Engine
from trunkline.events.stored import StoredEvent
from trunkline.store.ports.database import Database, DatabaseUnavailable
from trunkline.work.follow.follow_log import CallLog
from trunkline.work.upkeep.vital_signs import Vitals

_LOOK_SECONDS = 1.0
_TRIED_AGAIN = 10_000_000
"""Microseconds. What follows from calls is tried again sooner than this, until it is stored."""


class ReadVitals:
    """The verb behind health checks and metrics (``vital_signs.VitalSigns``)."""

    def __init__(
        self,
        db: Database,
        engine: Engine,
        calls: CallLog,
        bus: Bus,
        clock: Callable[[], int],
        log_behind: Callable[[], int],
        restarts: Callable[[], int],
    ) -> None:
        self._db, self._engine, self._calls, self._clock = db, engine, calls, clock
        self._log_behind, self._restarts = log_behind, restarts
        self._events = self._waiting = 0
        self.draining = False
        self.event_connections: Callable[[], Mapping[str, int]] = dict
        """Counts the clients that are connected for events; set once there is somebody to ask."""
        self.connections_refused: Callable[[], int] = int
        """The same of those that were refused."""
        self.sip_messages: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """How many SIP messages were kept and dropped; set once there is somebody to ask."""
        self.sip_connections: Callable[[], int] = int
        """How many SIP connections were open a while ago; likewise."""
        self.refused_for_room: Callable[[], int] = lambda: 0
        """How many calls the engine has refused because its log had no room; set once there is somebody to ask."""
        bus.listen(self._count, lambda _: False)

    async def read(self) -> Vitals:
        await self._look()
        kept, dropped = self.sip_messages()
        return Vitals(
            engine_up=self._engine.up,
            has_room=self._engine.has_room,
            refused_for_room=self.refused_for_room(),
            draining=self.draining,
            calls_stored=self._clock() - self._calls.refused_at > _TRIED_AGAIN,
            log_lag_seconds=self._lag(),
            calls_live=len(self._calls.live),
            recordings_waiting=self._waiting,
            registrations_online=self._online(),
            sip_connections=self.sip_connections(),
            events_total=self._events,
            engine_restarts=self._restarts(),
            sip_messages_total=kept,
            sip_messages_dropped=dropped,
            event_connections=self.event_connections(),
            connections_refused=self.connections_refused(),
        )

    async def _look(self) -> None:
        with suppress(DatabaseUnavailable, TimeoutError):  # then the number stays as it was
            async with asyncio.timeout(_LOOK_SECONDS):
                self._waiting = await self._db.recordings.waiting()

    def _count(self, events: Sequence[StoredEvent]) -> None:
        self._events += len(events)

    def _online(self) -> int:
        return sum(
            online and not endpoint.startswith("trunk-")
            for endpoint, online in self._engine.endpoints().items()
        )

    def _lag(self) -> float:
        if not self._log_behind() or not self._calls.newest_row:
            return 0.0
        return max(0.0, (self._clock() - self._calls.newest_row) / 1_000_000)
