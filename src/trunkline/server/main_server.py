"""What runs in a main server from its start to its stop, once ``wiring`` has joined the parts."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from trunkline.calls.cel import LogPosition
from trunkline.engine.asterisk import Asterisk
from trunkline.engine.listen.failed_logins import FailedLogins
from trunkline.engine.listen.log_follower import LogFollower
from trunkline.engine.port import EngineUnavailable
from trunkline.engine.process.life import EngineLife
from trunkline.engine.process.sip_connections import SipConnections
from trunkline.server.settings import Settings
from trunkline.server.sip_trace import SipTrace
from trunkline.store.ports.database import Database
from trunkline.work.control.end_astray import EndAstray
from trunkline.work.control.watch_media import WatchMedia
from trunkline.work.deliver.deliver_webhooks import DeliverWebhooks
from trunkline.work.follow.close_left_calls import CloseLeftCalls
from trunkline.work.follow.follow_endpoints import Change, FollowEndpoints
from trunkline.work.follow.follow_log import CallLog
from trunkline.work.follow.follow_logins import FollowLogins
from trunkline.work.place.place_call import PlaceCall
from trunkline.work.record.file_recordings import FileRecordings
from trunkline.work.upkeep.delete_expired import DeleteExpired
from trunkline.work.upkeep.read_vitals import ReadVitals
from trunkline.work.upkeep.take_in_older_calls import count_older_calls, index_older_calls

log = structlog.get_logger()

_STOP_SECONDS = 20.0
_RECONCILE_EVERY = 30.0
_ROWS_LATE = 2.0
"""Seconds that the last rows of a channel may take to come from the engine."""


@dataclass(kw_only=True)
class MainServer:
    """The parts of a server; ``running`` runs all of them but the web."""

    settings: Settings
    node_id: str
    db: Database
    run_bus: Callable[[], Coroutine[Any, Any, None]] | None
    bus_ready: asyncio.Event | None
    engine: Asterisk
    life: EngineLife
    open_log: Callable[[LogPosition | None], LogFollower]
    calls: CallLog
    place_call: PlaceCall
    follow_endpoints: FollowEndpoints
    endpoint_changes: asyncio.Queue[Change]
    failed_logins: FailedLogins
    follow_logins: FollowLogins
    deliver_webhooks: DeliverWebhooks
    file_recordings: FileRecordings
    delete_expired: DeleteExpired
    sip_trace: SipTrace
    sip_connections: SipConnections
    vitals: ReadVitals
    end_astray: EndAstray
    watch_media: WatchMedia
    close_left_calls: CloseLeftCalls
    may_stay: Callable[[str, bool], Awaitable[bool]]
    _log: LogFollower | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Calls can be made inside."""
        self.sip_trace.open()
        async with asyncio.TaskGroup() as tasks:
            running = await self._bus_running(tasks)
            await self.db.calls.inherit(self.node_id)
            await self.calls.load()
            known = await self.db.events.device_states()
            self.engine.expect(name for name, online in known.items() if online)
            self._log = self.open_log(await self.calls.position())
            running += [
                tasks.create_task(work)
                for work in (
                    self.end_astray.run(),
                    self.calls.follow(self._log.follow()),
                    self.engine.run(),
                    self.calls.follow_signals(),
                    self._follow_endpoints(),
                    self.follow_logins.run(self.failed_logins.follow()),
                    self.deliver_webhooks.run(),
                    self.sip_trace.run(),
                    self.sip_connections.run(),
                )
            ]
            try:
                await self.life.start()
                await self._restart_if_changed()
                await self._settle()
                running += [
                    tasks.create_task(work)
                    for work in (
                        self.file_recordings.run(),
                        self.delete_expired.run(),
                        index_older_calls(self.db.history),
                        count_older_calls(self.db.statistics),
                        self._reconcile(),
                        self.watch_media.run(),
                    )
                ]
                yield
            finally:
                for task in running:
                    task.cancel()

    async def _bus_running(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Start a bus between processes; returns once it hears everything."""
        if self.run_bus is None or self.bus_ready is None:
            return []
        running = tasks.create_task(self.run_bus())
        await self.bus_ready.wait()
        return [running]

    async def drain(self, patience: Callable[[], bool]) -> None:
        """Take no new calls; wait until the live ones end, the time is over, or ``patience()`` is false."""
        self.place_call.draining = self.vitals.draining = True
        with contextlib.suppress(EngineUnavailable):
            await self.engine.refuse_new_calls(True)
        deadline = time.monotonic() + self.settings.drain_seconds
        while self.calls.live and patience() and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        if self.calls.live:
            await self._hang_up_all()

    async def stop_engine(self) -> None:
        """Stop the engine, and store what it left; a database that does not answer is not waited for.

        What is not stored stands in the engine's log, and the next start takes it in.
        """
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self.life.stop()
        except TimeoutError:
            log.warning("engine.end_not_stored", mend="the next start takes it in from the log")

    async def sync(self) -> None:
        """Take in a directory that has changed; returns when the change works."""
        await self.deliver_webhooks.refresh()
        await self.engine.sync(await self.db.directory.trunks(), self.may_stay)

    async def engine_died(self, last_sign_of_life: float) -> None:
        """First the log is read to its end: its rows tell what happened before the death."""
        await self._drained_log()
        await self.calls.engine_died(int(last_sign_of_life * 1_000_000))

    def log_behind(self) -> int:
        """The number of bytes of the engine's log that are not taken in."""
        return self._log.behind() if self._log else 0

    async def _restart_if_changed(self) -> None:
        try:
            await self.life.restart_if_changed(self._is_idle)
        finally:
            self.place_call.draining = self.vitals.draining

    async def _is_idle(self) -> bool:
        """Has the engine no call? Then it takes none from now on, from a phone or a click, so that this stays so."""
        if await self.engine.channels():
            return False
        self.place_call.draining = True
        while self.place_call.placing:
            await asyncio.sleep(0.01)
        await self.engine.refuse_new_calls(True)
        if not await self.engine.channels():
            return True
        await self.engine.refuse_new_calls(False)
        return False

    async def _settle(self) -> None:
        """Close what was left open in the time before this start."""
        await self._drained_log()
        living = {channel.leg_id for channel in await self.engine.channels()}
        await self.calls.settle(living.__contains__)
        await self.sync()

    async def _drained_log(self) -> None:
        while self.log_behind() or not self.calls.caught_up.is_set():
            await asyncio.sleep(0.005)

    async def _follow_endpoints(self) -> None:
        while True:
            await self.follow_endpoints(await self.endpoint_changes.get())

    async def _hang_up_all(self) -> None:
        legs = [leg_id for call in self.calls.live.values() for leg_id in call.legs]
        with contextlib.suppress(EngineUnavailable):
            await asyncio.gather(*(self.engine.hang_up(leg_id) for leg_id in legs))
        deadline = time.monotonic() + 2
        while self.calls.live and time.monotonic() < deadline:
            await asyncio.sleep(0.05)

    async def _reconcile(self) -> None:
        """Close calls that are open here and gone in the engine: rows of its log were lost."""
        while True:
            await asyncio.sleep(_RECONCILE_EVERY)
            await self.close_left_calls()
            with contextlib.suppress(EngineUnavailable):
                if self.life.outdated:
                    await self._restart_if_changed()
                gone = await self._without_channels()
                if gone:
                    await asyncio.sleep(_ROWS_LATE)
                    await self._drained_log()
                    await self.calls.lost(gone & await self._without_channels())

    async def _without_channels(self) -> set[str]:
        living = {channel.leg_id for channel in await self.engine.channels()}
        return self.calls.without_channels(living)
