"""``trunkline api``: one API process in the foreground."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import structlog

from trunkline.server import open_files, private_files
from trunkline.server.api_process import ApiProcess
from trunkline.server.listening import listen
from trunkline.server.serving import Serving, Stop, local_url
from trunkline.server.settings import Settings
from trunkline.server.wiring.api_process import api_process
from trunkline.server.wiring.database import open_beside
from trunkline.server.wiring.doors import Web
from trunkline.store.secrets import KeyUnusable, open_key

log = structlog.get_logger()


async def serve_api(settings: Settings, reuse_port: bool, on_ready: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT; a second signal ends it at once.

    Raises SettingsError (an address that is taken, no PostgreSQL), KeyUnusable,
    DatabaseUnusable, DatabaseUnavailable.
    """
    open_files.raise_limit()
    key_file = settings.directory / "secret.key"
    with listen(settings, reuse_port) as http:
        private_files.keep_private(settings.directory)
        stop = Stop()
        if not key_file.exists():
            raise KeyUnusable(
                f"there is no {key_file}: copy the main server's, or start trunkline up first"
            )
        parts = await asyncio.to_thread(open_beside, settings, open_key(key_file))
        process, web = api_process(settings, open_key(key_file), parts)
        async with process.running():
            await _serve_web(settings, process, web, http, stop, on_ready)


async def _serve_web(
    settings: Settings,
    process: ApiProcess,
    web: Web,
    http: socket.socket,
    stop: Stop,
    on_ready: Callable[[str], None],
) -> None:
    serving = Serving(settings, http, web)
    try:
        await serving.started()
        url = local_url(settings)
        on_ready(url)
        log.info("api.ready", url=url)
        await serving.until(stop)
    finally:
        process.vitals.draining = True
        await serving.end(stop.haste)
