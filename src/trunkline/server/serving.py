"""Serves an application on its socket in the foreground, until a signal stops it."""

from __future__ import annotations

import asyncio
import signal
import socket

import structlog

from trunkline.server.listening import web_server
from trunkline.server.setting_forms import address
from trunkline.server.settings import Settings
from trunkline.server.wiring.doors import Web

log = structlog.get_logger()


def local_url(settings: Settings) -> str:
    """Where programs on this machine reach the HTTP door."""
    host, port = address(settings.http, "http")
    if host in ("0.0.0.0", "::"):  # noqa: S104 - only compared
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Stop:
    """The signals so far: the first asks for a stop, the second one for haste."""

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


class Serving:
    def __init__(self, settings: Settings, http: socket.socket, web: Web) -> None:
        self._web = web
        self._server = web_server(settings, web.live, web.addresses)
        self._serving = asyncio.create_task(self._server.serve(sockets=[http]))

    async def started(self) -> None:
        """Returns once requests are answered."""
        while not self._server.started and not self._serving.done():
            await asyncio.sleep(0.005)

    async def until(self, stop: Stop) -> None:
        """Returns once a stop is asked for, or serving has failed."""
        asked = asyncio.create_task(stop.asked.wait())
        await asyncio.wait({asked, self._serving}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()

    async def end(self, haste: bool) -> None:
        """Close sockets and streams, have long polls answered, let requests end; raises the failure of serving."""
        self._web.end_polls()
        await self._web.live.close()  # before: uvicorn would wait for open sockets and long polls
        self._server.should_exit = True
        self._server.force_exit = haste
        await self._serving
