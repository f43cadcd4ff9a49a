"""One server in the foreground: from its lock to its last call."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import structlog

from trunkline.engine.config.credentials import credentials
from trunkline.engine.install.choose import Installed, find, install
from trunkline.sandbox.engine import SandboxEngine
from trunkline.server import open_files
from trunkline.server.listening import data_lock, listen
from trunkline.server.main_server import System
from trunkline.server.serving import Serving, Stop, local_url
from trunkline.server.settings import Settings, default_cache
from trunkline.server.wiring.database import as_main, open_parts
from trunkline.server.wiring.engine import more_modules
from trunkline.store.secrets import open_key

log = structlog.get_logger()

Progress = Callable[[str, float | None], None]


def engine_for(settings: Settings, progress: Progress) -> Installed:
    """The engine to run: one that is there, else fetched now. Raises EngineInstallError."""
    more = more_modules(settings)
    found = find(default_cache(), settings.engine_prefix, more)
    if found is not None:
        return found
    return install(
        default_cache(),
        mirror=settings.engine_mirror,
        suite=settings.engine_suite,
        stale_index=settings.engine_stale_index,
        progress=progress,
        more=more,
    )


async def serve(settings: Settings, progress: Progress, on_ready: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT. The first one drains, a second one ends at once.

    Raises AlreadyRunning, SettingsError (an address that cannot be had), EngineInstallError,
    EngineStartError, KeyUnusable, DatabaseUnusable, DatabaseUnavailable; DatabaseTaken.
    """
    open_files.raise_limit()
    with data_lock(settings.directory), listen(settings) as http:
        installed = await asyncio.to_thread(engine_for, settings, progress)
        stop = Stop()
        key = open_key(settings.directory / "secret.key")
        node_id = credentials(settings.directory / "engine").system
        async with as_main(settings, node_id):
            parts = await asyncio.to_thread(open_parts, settings, key)
            system = System(settings, installed, key, parts)
            await _Server(settings, installed, http, stop, on_ready, system).live()


class _Server:
    def __init__(
        self,
        settings: Settings,
        installed: Installed,
        http: socket.socket,
        stop: Stop,
        on_ready: Callable[[str], None],
        system: System,
    ) -> None:
        self._settings, self._http, self._stop, self._on_ready = settings, http, stop, on_ready
        self._system = system
        self._sandbox = SandboxEngine(settings, installed, system) if settings.sandbox else None

    async def live(self) -> None:
        """Start, serve, drain, stop."""
        system = self._system
        try:
            async with system.running():
                try:
                    if self._sandbox:
                        await self._sandbox.start()
                    await self._serve_web()
                except BaseException:
                    # Our own failure: the calls go on, and the next start takes them over.
                    await system.supervisor.leave()
                    raise
                finally:
                    if self._sandbox:
                        await self._sandbox.stop()
                await system.stop_engine()
        except ExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise
        finally:
            await system.db.close()

    async def _serve_web(self) -> None:
        system = self._system
        serving = Serving(self._settings, self._http, system.web())
        url = local_url(self._settings)
        file = system.write_server_file(url)
        try:
            await serving.started()
            self._on_ready(url)
            log.info("server.ready", url=url, sip=self._settings.sip)
            await serving.until(self._stop)
            await system.drain(lambda: not self._stop.haste)
        finally:
            file.unlink(missing_ok=True)
            await serving.end(self._stop.haste)
