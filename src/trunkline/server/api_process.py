"""The composition root of an API process: the doors, on the database that a main server works on.

Nothing here drives the engine, follows its log, delivers webhooks or deletes what is old: that is the
main server's (``app.py``), which is asked where something of it is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from trunkline.api.http.deps import ApiDeps
from trunkline.bus.postgres import PostgresBus
from trunkline.events.stored import StoredEvent
from trunkline.recordings.disk import DiskStore
from trunkline.server.main_server_client import MainServerClient
from trunkline.server.settings import Settings
from trunkline.server.wiring import doors
from trunkline.server.wiring.database import DatabaseParts
from trunkline.server.wiring.webhooks import SECRETS, post
from trunkline.store.secrets import InstallationKey
from trunkline.work.deliver.try_webhook import TryWebhook
from trunkline.work.manage.manage_webhooks import ManageWebhooks
from trunkline.work.refused import Refused
from trunkline.work.upkeep.vital_signs import Vitals

_LOOK_EVERY = 1.0


def now() -> int:
    """Unix microseconds."""
    return time.time_ns() // 1000


class ApiProcess:
    """One API process, put together; ``running`` lives all of it but the web."""

    def __init__(self, settings: Settings, key: InstallationKey, parts: DatabaseParts) -> None:
        self._settings, self._key, self._parts = settings, key, parts
        self.db, self.bus = parts.db, parts.bus
        self.main = MainServerClient(settings.directory, settings.main_url, key)
        self.vitals = ApiVitals(self.main, lambda: _hears(parts))

    def web(self) -> doors.Web:
        """The HTTP door and the event sockets."""
        poster = post(self._settings, now)
        deps = ApiDeps(
            db=self.db,
            place_call=self.main.place_call,
            transfer_call=self.main.transfer_call,
            store=DiskStore(self._settings.directory / "recordings"),
            vital_signs=self.vitals,
            sync=self.main.sync,
            trigger_event=_elsewhere,
            manage_webhooks=ManageWebhooks(
                self.db, poster.check, self._key.derive(SECRETS), now, self.main.sync
            ),
            try_webhook=TryWebhook(self.db, poster, now),
            webhook_tally=None,
            sync_token="",  # nobody has to come in here by /internal
            url_key=self._key.derive("recording links"),
            answers_key=self._key.derive("kept answers"),
            bus=self.bus,
            clock=now,
            shared=True,
        )
        web = doors.web(self._settings, deps)
        self.vitals.event_connections = web.live.connections
        return web

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything but the web; inside, new events come."""
        assert self._parts.run_bus is not None
        assert self._parts.bus_ready is not None
        bus = asyncio.create_task(self._parts.run_bus())
        try:
            await self._parts.bus_ready.wait()
            yield
        finally:
            bus.cancel()
            await asyncio.gather(bus, return_exceptions=True)
            await self.main.close()
            await self.db.close()


class ApiVitals:
    """How an API process is doing (``work.vital_signs.VitalSigns``)."""

    def __init__(self, main: MainServerClient, hears: Callable[[], bool]) -> None:
        self._main, self._hears = main, hears
        self._looked: tuple[float, str] = (-_LOOK_EVERY, "")
        self.draining = False
        self.event_connections: Callable[[], Mapping[str, int]] = dict
        """Counts who is connected for events; set once there is somebody to ask."""

    async def read(self) -> Vitals:
        """A fresh reading; the main server is asked at most once a second."""
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
        )


def _hears(parts: DatabaseParts) -> bool:
    return not isinstance(parts.bus, PostgresBus) or parts.bus.hears


async def _elsewhere(account_id: str, name: str, call_id: str | None) -> Sequence[StoredEvent]:  # noqa: ARG001
    raise Refused("NOT_FOUND", "The main server makes samples.")
