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

from trunkline import server_file, web_parts
from trunkline.api.deps import ApiDeps
from trunkline.bus.local import LocalBus
from trunkline.calls.announce import Place
from trunkline.db.secrets import Key, open_key
from trunkline.db.sqlite import SqliteDatabase, open_database
from trunkline.engine import configuration, process
from trunkline.engine.asterisk import Asterisk
from trunkline.engine.cel import LogFollower
from trunkline.engine.configuration import EngineConfiguration, write_private
from trunkline.engine.credentials import credentials, with_free_port
from trunkline.engine.install import Installed
from trunkline.engine.port import EndpointChanged, EngineUnavailable, Signal, TrunkChanged
from trunkline.engine.supervisor import Supervisor
from trunkline.engine_parts import EnabledDevices, engine_configuration
from trunkline.listening import refuse_taken_sip
from trunkline.live import Live
from trunkline.recordings.disk import DiskStore
from trunkline.settings import Settings
from trunkline.webhook_parts import Webhooks
from trunkline.work.count_older_calls import count_older_calls
from trunkline.work.file_recordings import FileRecordings, salvage
from trunkline.work.follow_endpoints import Change, FollowEndpoints
from trunkline.work.follow_log import LOG_NAME, CallLog
from trunkline.work.index_calls import index_calls
from trunkline.work.message_ids import MessageIds
from trunkline.work.place_call import PlaceCall, Rules
from trunkline.work.read_vitals import ReadVitals
from trunkline.work.trigger_event import TriggerEvent

log = structlog.get_logger()

_PRUNE_EVERY = 3600.0
_ENGINE_GRACE = 5.0
_RECONCILE_EVERY = 30.0
_ROWS_LATE = 2.0


def now() -> int:
    """Unix microseconds."""
    return time.time_ns() // 1000


class System:
    """One server on one data directory, put together; ``run`` lives it."""

    def __init__(self, settings: Settings, installed: Installed) -> None:
        self._settings = settings
        self._installed = installed
        self._data = settings.directory
        self.home = self._data / "engine"
        self.key: Key = open_key(self._data / "secret.key")
        self.db = _database(settings, self.key)
        self.bus = LocalBus()
        self.message_ids = MessageIds(now)
        self._changes: asyncio.Queue[Change] = asyncio.Queue()
        self._credentials = credentials(self.home)
        self.engine = Asterisk(
            self.home,
            self._credentials.port,
            self._credentials.password,
            self._on_signal,
            trunk_qualify_seconds=settings.trunk_qualify_seconds,
        )
        place = Place(settings.sip_realm, self._credentials.system)
        self.calls = CallLog(self.db, self.bus, place, now, self.message_ids)
        self.log = LogFollower(configuration.event_log(self.home), self.db.calls.position(LOG_NAME))
        self.supervisor = Supervisor(
            installed, self.home, self._configure, self._engine_died, self.engine.answers
        )
        self.place_call = PlaceCall(
            self.db, self.engine, self.calls, _rules(settings), now, lambda: secrets.token_hex(16)
        )
        self.trigger_event = TriggerEvent(self.db.events, self.bus, place, now, self.message_ids)
        self.webhooks = Webhooks(settings, self.db, self.bus, self.key, now, self.message_ids)
        self.vitals = ReadVitals(
            self.db,
            self.engine,
            self.calls,
            self.bus,
            now,
            self.log.behind,
            lambda: self.supervisor.restarts,
        )
        self._store = DiskStore(self._data / "recordings")
        self._token = secrets.token_hex(32)
        self._spool = self.home / "spool"
        self.end_polls: Callable[[], None] = lambda: None
        """Has the HTTP requests that wait for events answer; before the web server stops."""

    def web(self) -> Live:
        """The HTTP door and the event sockets, as one ASGI application."""
        deps = ApiDeps(
            db=self.db,
            place_call=self.place_call,
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
        )
        live, self.end_polls = web_parts.web(self._settings, deps)
        self.vitals.event_connections = live.connections
        return live

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything but the web runs; calls can be made inside."""
        self.calls.load()
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(work)
                for work in (
                    self.calls.follow(self.log.follow()),
                    self.engine.run(),
                    self.calls.follow_signals(),
                    self._follow_endpoints(),
                    self.webhooks.deliver.run(),
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
                        self._prune(),
                        index_calls(self.db.history),
                        count_older_calls(self.db.statistics),
                        self._reconcile(),
                    )
                ]
                yield
            finally:
                for task in running:
                    task.cancel()

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
        """End the engine, and close what it took along."""
        await self.supervisor.stop(_ENGINE_GRACE)

    async def sync(self) -> None:
        """Take a changed directory in; returns when the change works."""
        self.webhooks.deliver.refresh()
        await self.engine.sync(self.db.directory.trunks(), EnabledDevices(self.db.directory))

    def write_server_file(self, url: str) -> Path:
        """Tell the command line where we are."""
        file = self._data / server_file.NAME
        told = server_file.ServerFile(url, self._token, os.getpid())
        write_private(file, msgspec.json.encode(told).decode())
        return file

    def _configuration(self) -> EngineConfiguration:
        return engine_configuration(self._settings, self._installed, self.home, self._credentials)

    def _configure(self) -> None:
        """Before each start of the engine: nobody reads the files now.

        Raises SettingsError when another program has the SIP address: Asterisk would start deaf.
        """
        refuse_taken_sip(self._settings)
        salvage(self._spool)
        self._credentials = with_free_port(self.home, self._credentials)
        self.engine.move(self._credentials.port)
        digest = configuration.write(self._configuration())
        self.engine.write_trunks(self.db.directory.trunks())
        write_private(self.home / "configured", digest)

    async def _restart_if_changed(self) -> None:
        """An adopted engine has the settings of its start: start it again if no call minds."""
        wanted = configuration.digest(self._configuration())
        if (self.home / "configured").read_text() == wanted:
            return
        if await self.engine.channels():
            log.warning("engine.other_settings", mend="restart when no call is live")
            return
        await self.supervisor.stop(_ENGINE_GRACE)
        await self.supervisor.start()

    async def _settle(self) -> None:
        """What the time without us left open."""
        await self._drained_log()
        living = {channel.leg_id for channel in await self.engine.channels()}
        await self.calls.settle(living.__contains__)
        await self.sync()

    async def _drained_log(self) -> None:
        while self.log.behind() or not self.calls.caught_up.is_set():
            await asyncio.sleep(0.005)

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
        ).run()

    def _open_now(self) -> frozenset[Path] | None:
        pid = self.supervisor.pid
        return None if pid is None else process.open_files(pid)

    def _on_signal(self, signal: Signal) -> None:
        if isinstance(signal, EndpointChanged | TrunkChanged):
            self._changes.put_nowait(signal)
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
            with contextlib.suppress(EngineUnavailable):
                gone = await self._without_channels()
                if gone:
                    await asyncio.sleep(_ROWS_LATE)
                    await self._drained_log()
                    await self.calls.lost(gone & await self._without_channels())

    async def _without_channels(self) -> set[str]:
        living = {channel.leg_id for channel in await self.engine.channels()}
        return self.calls.without_channels(living)

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(_PRUNE_EVERY)
            try:
                pruned = await self.db.prune(now())
                log.info("database.pruned", rows=pruned)
            except Exception:
                log.exception("database.prune_failed")


def _database(settings: Settings, key: Key) -> SqliteDatabase:
    return open_database(
        settings.directory / "trunkline.db",
        key,
        event_days=settings.event_days,
        journal_days=settings.journal_days,
    )


def _rules(settings: Settings) -> Rules:
    return Rules(settings.device_ring_seconds, settings.ring_seconds, settings.auth_failures)
