"""The composition root: the one place where Trunkline's parts are built and joined."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import structlog

from trunkline.api.http.deps import ApiDeps
from trunkline.engine.asterisk import Asterisk
from trunkline.engine.commands.ami import Ami
from trunkline.engine.config import configuration
from trunkline.engine.config.configuration import EngineConfiguration, write_private
from trunkline.engine.config.credentials import credentials, with_free_port
from trunkline.engine.install.choose import Installed
from trunkline.engine.listen.log_follower import LogFollower
from trunkline.engine.port import (
    EndpointChanged,
    EngineUnavailable,
    LegInSip,
    Signal,
    TrunkChanged,
)
from trunkline.engine.process import identity as process
from trunkline.engine.process.supervisor import Supervisor
from trunkline.events.message_ids import MessageIds
from trunkline.events.of_call import Node
from trunkline.recordings.disk import DiskStore
from trunkline.server import server_file
from trunkline.server.listening import refuse_taken_sip
from trunkline.server.settings import Settings
from trunkline.server.wiring import doors as web_parts
from trunkline.server.wiring.database import DatabaseParts
from trunkline.server.wiring.engine import enabled_device, engine_configuration
from trunkline.server.wiring.retention import delete_expired
from trunkline.server.wiring.sip_trace import SipTrace
from trunkline.server.wiring.webhooks import Webhooks
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.secrets import InstallationKey
from trunkline.work.control.end_astray import EndAstray
from trunkline.work.control.transfer_call import TransferCall
from trunkline.work.control.watch_media import WatchMedia
from trunkline.work.deliver.trigger_event import TriggerEvent
from trunkline.work.follow.close_left_calls import CloseLeftCalls
from trunkline.work.follow.follow_endpoints import Change, FollowEndpoints
from trunkline.work.follow.follow_log import CallLog
from trunkline.work.place.place_call import CallSettings, PlaceCall
from trunkline.work.record.file_recordings import FileRecordings, salvage
from trunkline.work.upkeep.read_vitals import ReadVitals
from trunkline.work.upkeep.take_in_older_calls import count_older_calls, index_older_calls

log = structlog.get_logger()

_ENGINE_GRACE = 5.0
_STOP_SECONDS = 20.0
_RECONCILE_EVERY = 30.0
_ROWS_LATE = 2.0


def now() -> int:
    """Unix microseconds."""
    return time.time_ns() // 1000


class System:
    """One server on one data directory, put together; ``run`` lives it."""

    def __init__(
        self, settings: Settings, installed: Installed, key: InstallationKey, parts: DatabaseParts
    ) -> None:
        self._settings = settings
        self._installed = installed
        self._data = settings.directory
        self.home = self._data / "engine"
        self.key, self._parts = key, parts
        self.db, self.bus = parts.db, parts.bus
        self.message_ids = MessageIds(now)
        self._changes: asyncio.Queue[Change] = asyncio.Queue()
        self._credentials = credentials(self.home)
        self.engine = Asterisk(
            self.home,
            self._credentials.port,
            self._credentials.password,
            self._on_signal,
            ami=Ami(self._credentials.ami_port, self._credentials.ami_password),
            trunk_qualify_seconds=settings.trunk_qualify_seconds,
            caches=parts.caches,
        )
        place = Node(settings.sip_realm, self._credentials.system)
        self.calls = CallLog(self.db, self.bus, place, now, self.message_ids)
        self._close_left_calls = CloseLeftCalls(
            self.db.calls, self.calls, self._credentials.system, time.monotonic
        )
        self._log: LogFollower | None = None
        self._outdated = False
        """Does the engine run with other settings than it would be started with?"""
        self.supervisor = Supervisor(
            installed, self.home, self._configure, self._engine_died, self.engine.answers
        )
        self.place_call = PlaceCall(
            self.db, self.engine, self.calls, _rules(settings), now, lambda: secrets.token_hex(16)
        )
        self.transfer_call = TransferCall(self.db, self.engine, self.calls)
        self.trigger_event = TriggerEvent(self.db.events, self.bus, place, now, self.message_ids)
        self.webhooks = Webhooks(settings, self.db, self.bus, self.key, now, self.message_ids)
        self.vitals = ReadVitals(
            self.db,
            self.engine,
            self.calls,
            self.bus,
            now,
            self._log_behind,
            lambda: self.supervisor.restarts,
        )
        self.sip_trace = SipTrace(settings, installed, self.home, self.db, self.calls, now)
        self.vitals.sip_messages = self.sip_trace.counts
        self._store = DiskStore(self._data / "recordings")
        self._token = server_file.internal_token(key)
        self._spool = self.home / "spool"

    def web(self) -> web_parts.Web:
        """The HTTP door and the event sockets."""
        deps = ApiDeps(
            db=self.db,
            place_call=self.place_call,
            transfer_call=self.transfer_call,
            store=self._store,
            vital_signs=self.vitals,
            sync=self.sync,
            trigger_event=self.trigger_event,
            manage_webhooks=self.webhooks.manage,
            try_webhook=self.webhooks.try_one,
            webhook_tally=self.webhooks.deliver.tally,
            sync_token=self._token,
            url_key=self.key.derive("recording links"),
            answers_key=self.key.derive("kept answers"),
            bus=self.bus,
            clock=now,
            shared=self._parts.is_shared,
        )
        web = web_parts.web(self._settings, deps)
        self.vitals.event_connections = web.live.connections
        return web

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything but the web runs; calls can be made inside."""
        self.sip_trace.open()
        async with asyncio.TaskGroup() as tasks:
            bus = await self._bus_running(tasks)
            await self.db.calls.inherit(self._credentials.system)
            await self.calls.load()
            known = await self.db.events.device_states()
            self.engine.expect(name for name, online in known.items() if online)
            log_file = configuration.event_log(self.home)
            self._log = LogFollower(log_file, await self.calls.position())
            watch = WatchMedia(
                self.engine, self.calls, self._settings.media_timeout_seconds, now, time.monotonic
            )
            astray = EndAstray(self.engine)
            self.calls.on_astray = astray.hear
            running = bus + [
                tasks.create_task(work)
                for work in (
                    astray.run(),
                    self.calls.follow(self._log.follow()),
                    self.engine.run(),
                    self.calls.follow_signals(),
                    self._follow_endpoints(),
                    self.webhooks.deliver.run(),
                    self.sip_trace.run(),
                )
            ]
            try:
                await self.supervisor.start()
                await self._restart_if_changed()
                await self._settle()
                running += [
                    tasks.create_task(work)
                    for work in (
                        self._file_recordings(),
                        delete_expired(self._settings, self.db.retention, self._store).run(),
                        index_older_calls(self.db.history),
                        count_older_calls(self.db.statistics),
                        self._reconcile(),
                        watch.run(),
                    )
                ]
                yield
            finally:
                for task in running:
                    task.cancel()

    async def _bus_running(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """A bus between processes, once it hears everything."""
        if self._parts.run_bus is None or self._parts.bus_ready is None:
            return []
        running = tasks.create_task(self._parts.run_bus())
        await self._parts.bus_ready.wait()
        return [running]

    async def drain(self, patience: Callable[[], bool]) -> None:
        """Take no new calls; give the live ones their time, or until ``patience`` ends."""
        self.place_call.draining = self.vitals.draining = True
        with contextlib.suppress(EngineUnavailable):
            await self.engine.refuse_new_calls(True)
        deadline = time.monotonic() + self._settings.drain_seconds
        while self.calls.live and patience() and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        if self.calls.live:
            await self._hang_up_all()

    async def stop_engine(self) -> None:
        """End the engine, and close what it took along; a database that is away is not waited for.

        What is not stored then stands in the engine's log, and is taken in at the next start.
        """
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self.supervisor.stop(_ENGINE_GRACE)
        except TimeoutError:
            log.warning("engine.end_not_stored", mend="the next start takes it in from the log")

    async def sync(self) -> None:
        """Take a changed directory in; returns when the change works."""
        await self.webhooks.deliver.refresh()
        trunks = await self.db.directory.trunks()
        await self.engine.sync(trunks, enabled_device(self.db.directory))

    def write_server_file(self, url: str) -> Path:
        """Tell the command line where we are."""
        file = self._data / server_file.NAME
        told = server_file.ServerFile(url, self._token, os.getpid())
        write_private(file, msgspec.json.encode(told).decode())
        return file

    def _configuration(self) -> EngineConfiguration:
        return engine_configuration(
            self._settings,
            self._installed,
            self.home,
            self._credentials,
            self._parts.views,
            capture=self.sip_trace.address,
        )

    async def _configure(self) -> None:
        """Before each start of the engine: nobody reads the files now.

        Raises SettingsError when another program has the SIP address: Asterisk would start deaf.
        """
        refuse_taken_sip(self._settings)
        salvage(self._spool)
        self._credentials = with_free_port(self.home, self._credentials)
        self.engine.move(self._credentials.port, self._credentials.ami_port)
        digest = configuration.write(self._configuration())
        await self._write_trunks()
        write_private(self.home / "configured", digest)

    async def _write_trunks(self) -> None:
        """A database that is away is no reason not to start the engine again."""
        try:
            self.engine.write_trunks(await self.db.directory.trunks())
        except DatabaseUnavailable as error:
            if not (self.home / "etc" / configuration.TRUNKS_FILE).exists():
                raise
            log.warning("engine.trunks_as_they_were", error=str(error))

    async def _restart_if_changed(self) -> None:
        """An adopted engine has the settings of its start: start it again as soon as no call minds."""
        wanted = configuration.digest(self._configuration())
        self._outdated = (self.home / "configured").read_text() != wanted
        if not self._outdated:
            return
        try:
            if not await self._is_idle():
                log.warning("engine.other_settings", mend="it starts anew when no call is live")
                return
            await self.supervisor.stop(_ENGINE_GRACE)
            await self.supervisor.start()
            self._outdated = False
        finally:
            self.place_call.draining = self.vitals.draining

    async def _is_idle(self) -> bool:
        """Has it no call? Then it takes none from now on, a phone's or a click's, so that it stays so."""
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
        """What the time without us left open."""
        await self._drained_log()
        living = {channel.leg_id for channel in await self.engine.channels()}
        await self.calls.settle(living.__contains__)
        await self.sync()

    async def _drained_log(self) -> None:
        while self._log_behind() or not self.calls.caught_up.is_set():
            await asyncio.sleep(0.005)

    def _log_behind(self) -> int:
        return self._log.behind() if self._log else 0

    async def _engine_died(self, last_sign_of_life: float) -> None:
        """The log first, to its end: what it tells happened before the death."""
        await self._drained_log()
        await self.calls.engine_died(int(last_sign_of_life * 1_000_000))

    async def _file_recordings(self) -> None:
        await FileRecordings(
            self.db.recordings,
            self.bus,
            self._store,
            self._spool,
            now,
            self.message_ids,
            open_now=self._open_now,
            live_now=self._live_now,
        ).run()

    def _open_now(self) -> frozenset[Path] | None:
        pid = self.supervisor.pid
        return None if pid is None else process.open_files(pid)

    def _live_now(self) -> frozenset[str] | None:
        return self.calls.live_raws() if self.calls.caught_up.is_set() else None

    def _on_signal(self, signal: Signal) -> None:
        if isinstance(signal, EndpointChanged | TrunkChanged):
            self._changes.put_nowait(signal)
        elif isinstance(signal, LegInSip):
            self.sip_trace.hear(signal)
        else:
            self.calls.hear(signal)

    async def _follow_endpoints(self) -> None:
        follow = FollowEndpoints(self.db, self.bus, self.message_ids)
        while True:
            await follow(await self._changes.get())

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
            await self._close_left_calls()
            with contextlib.suppress(EngineUnavailable):
                if self._outdated:
                    await self._restart_if_changed()
                gone = await self._without_channels()
                if gone:
                    await asyncio.sleep(_ROWS_LATE)
                    await self._drained_log()
                    await self.calls.lost(gone & await self._without_channels())

    async def _without_channels(self) -> set[str]:
        living = {channel.leg_id for channel in await self.engine.channels()}
        return self.calls.without_channels(living)


def _rules(settings: Settings) -> CallSettings:
    return CallSettings(settings.device_ring_seconds, settings.auth_failures)
