"""One server in the foreground: from its lock to its last call."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable

import structlog

from trunkline.app import System
from trunkline.engine.install import Installed, find, install
from trunkline.listening import WebServer, data_lock, listen, web_server
from trunkline.sandbox import SandboxEngine
from trunkline.settings import Settings, address, default_cache

log = structlog.get_logger()

Progress = Callable[[str, float | None], None]


def engine_for(settings: Settings, progress: Progress) -> Installed:
    """The engine to run: one that is there, else fetched now. Raises EngineInstallError."""
    found = find(default_cache(), settings.engine_prefix)
    if found is not None:
        return found
    return install(
        default_cache(),
        mirror=settings.engine_mirror,
        suite=settings.engine_suite,
        stale_index=settings.engine_stale_index,
        progress=progress,
    )


async def serve(settings: Settings, progress: Progress, on_ready: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT. The first one drains, a second one ends at once.

    Raises AlreadyRunning, SettingsError (an address that cannot be had), EngineInstallError,
    EngineStartError, KeyUnusable, DatabaseUnusable.
    """
    with data_lock(settings.directory), listen(settings) as http:
        installed = await asyncio.to_thread(engine_for, settings, progress)
        stop = _Stop()
        await _Server(settings, installed, http, stop, on_ready).live()


class _Stop:
    """The signals so far: one asks for a stop, two for haste."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.haste = False
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        self.haste = self.asked.is_set()
        log.info("server.stopping", haste=self.haste)
        self.asked.set()


class _Server:
    def __init__(
        self,
        settings: Settings,
        installed: Installed,
        http: socket.socket,
        stop: _Stop,
        on_ready: Callable[[str], None],
    ) -> None:
        self._settings, self._http, self._stop, self._on_ready = settings, http, stop, on_ready
        self._system = System(settings, installed)
        self._sandbox = (
            SandboxEngine(settings, installed, self._system) if settings.sandbox else None
        )

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
        live = system.web()
        server = web_server(self._settings, live)
        serving = asyncio.create_task(server.serve(sockets=[self._http]))
        url = self._url()
        file = system.write_server_file(url)
        try:
            await self._started(server, serving)
            self._on_ready(url)
            log.info("server.ready", url=url, sip=self._settings.sip)
            await self._asked_to_stop(serving)
            await system.drain(lambda: not self._stop.haste)
        finally:
            file.unlink(missing_ok=True)
            system.end_polls()
            await live.close()  # first: uvicorn would wait for open sockets and long polls
            server.should_exit = True
            server.force_exit = self._stop.haste
            await serving

    async def _started(self, server: WebServer, serving: asyncio.Task[None]) -> None:
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)

    async def _asked_to_stop(self, serving: asyncio.Task[None]) -> None:
        asked = asyncio.create_task(self._stop.asked.wait())
        await asyncio.wait({asked, serving}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()

    def _url(self) -> str:
        host, port = address(self._settings.http, "http")
        if host in ("0.0.0.0", "::"):  # noqa: S104 - only compared
            host = "127.0.0.1"
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
