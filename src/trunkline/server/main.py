"""``trunkline up``: one main server in the foreground, from its lock to its last call."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

import structlog

from trunkline.engine.config.credentials import credentials
from trunkline.engine.install.choose import Installed
from trunkline.server import open_files, private_files
from trunkline.server.listening import data_lock, listen
from trunkline.server.main_server import MainServer
from trunkline.server.server_file import ADDRESSES, write_server_file
from trunkline.server.serving import Serving, Stop, local_url
from trunkline.server.settings import Settings
from trunkline.server.wiring.database import as_main, open_parts
from trunkline.server.wiring.doors import Web
from trunkline.server.wiring.engine_install import found_or_installed
from trunkline.server.wiring.main_server import main_server
from trunkline.store.secrets import InstallationKey, open_key

log = structlog.get_logger()

Progress = Callable[[str, float | None], None]


def engine_for(settings: Settings, progress: Progress) -> Installed:
    """The installed engine, or one that is fetched now. Raises EngineInstallError."""
    return found_or_installed(settings, progress)


class Companion(Protocol):
    """What is started and stopped with a server, and can make calls in between."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


Beside = Callable[[Settings, Installed, InstallationKey, MainServer], Companion]


async def serve(
    settings: Settings,
    progress: Progress,
    on_ready: Callable[[str], None],
    beside: Beside | None = None,
) -> None:
    """Run until SIGTERM or SIGINT. The first signal drains, the second one ends at once.

    ``beside`` makes the companion. Raises AlreadyRunning, SettingsError (an address that is taken),
    EngineInstallError, EngineStartError, KeyUnusable, DatabaseUnusable, DatabaseUnavailable, DatabaseTaken.
    """
    open_files.raise_limit()
    with data_lock(settings.directory), listen(settings) as http:
        private_files.keep_private(settings.directory)
        closing = asyncio.create_task(
            asyncio.to_thread(private_files.close_contents, settings.directory)
        )
        installed = await asyncio.to_thread(engine_for, settings, progress)
        stop = Stop()
        key = open_key(settings.directory / "secret.key")
        async with as_main(settings, credentials(settings.directory / "engine").system):
            parts = await asyncio.to_thread(open_parts, settings, key)
            server, web = main_server(settings, installed, key, parts)
            companion = beside(settings, installed, key, server) if beside else None
            await _Life(settings, http, stop, on_ready, server, web, companion).live(key)
        await closing


class _Life:
    def __init__(
        self,
        settings: Settings,
        http: socket.socket,
        stop: Stop,
        on_ready: Callable[[str], None],
        server: MainServer,
        web: Web,
        companion: Companion | None,
    ) -> None:
        self._settings, self._http, self._stop, self._on_ready = settings, http, stop, on_ready
        self._server, self._web, self._companion = server, web, companion

    async def live(self, key: InstallationKey) -> None:
        try:
            async with self._server.running():
                try:
                    if self._companion:
                        await self._companion.start()
                    await self._serve_web(key)
                except BaseException:
                    # The failure is ours: the calls go on, and the next start adopts the engine.
                    await self._server.life.leave()
                    raise
                finally:
                    if self._companion:
                        await self._companion.stop()
                await self._server.stop_engine()
        except ExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise
        finally:
            await self._server.db.close()

    async def _serve_web(self, key: InstallationKey) -> None:
        serving = Serving(self._settings, self._http, self._web)
        url = local_url(self._settings)
        listens = {name: getattr(self._settings, name) for name in ADDRESSES}
        file = write_server_file(self._settings.directory, url, key, listens)
        try:
            await serving.started()
            self._on_ready(url)
            log.info("server.ready", url=url, sip=self._settings.sip)
            await serving.until(self._stop)
            await self._server.drain(lambda: not self._stop.haste)
        finally:
            file.unlink(missing_ok=True)
            await serving.end(self._stop.haste)
