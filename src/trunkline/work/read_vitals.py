"""How the running system is doing, read from the parts that know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from trunkline.bus.port import Bus
from trunkline.calls.record import StoredEvent
from trunkline.db.port import Database
from trunkline.engine.port import Engine
from trunkline.work.follow_log import CallLog
from trunkline.work.vital_signs import Vitals


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
        self._events = 0
        self.draining = False
        self.event_connections: Callable[[], Mapping[str, int]] = dict
        """Counts who is connected for events; set once there is somebody to ask."""
        bus.listen(self._count)

    def read(self) -> Vitals:
        """A fresh reading."""
        return Vitals(
            engine_up=self._engine.up,
            draining=self.draining,
            log_lag_seconds=self._lag(),
            calls_live=len(self._calls.live),
            recordings_waiting=self._db.recordings.waiting(),
            registrations_online=self._online(),
            events_total=self._events,
            engine_restarts=self._restarts(),
            event_connections=self.event_connections(),
        )

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
