from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import uvloop
from uvicorn.middleware.proxy_headers import _TrustedHosts

from trunkline.bus.local import LocalBus
from trunkline.live import Live, LiveDeps, LiveLimits, build_live
from trunkline.live.http.addresses import Addresses
from trunkline.live.http.protocol import EventHttp, HttpRules

from .fakes import ACCOUNT, OTHER, OTHER_TOKEN, TOKEN, FakeEvents, FakeKeys, FakeTokens, Phones

JS = Path(__file__).parent.parent / "js"


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop, as the server; where transports matter, the standard library's loop too."""
    factories = {"uvloop": uvloop.new_event_loop}
    if item.path.name == "test_websocket.py":
        factories["asyncio"] = asyncio.new_event_loop
    return factories


@dataclass
class World:
    """A running server with its edges."""

    events: FakeEvents
    tokens: FakeTokens
    keys: FakeKeys
    bus: LocalBus
    phones: Phones
    live: Live
    port: int
    server: uvicorn.Server
    now: list[int] = field(default_factory=lambda: [1_700_000_000_000_000])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}/oapi/v1/voice/events"


Start = Callable[..., Awaitable[World]]


async def api(scope: Any, receive: Any, send: Any) -> None:
    """Stands for the HTTP door: says which request came through."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    body = f"api {scope['type']} {scope['path']}".encode()
    await send({"type": "http.response.start", "status": 405, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts servers, each on a free port; stops them at the end."""
    async with contextlib.AsyncExitStack() as running:

        async def start_one(
            limits: LiveLimits | None = None,
            origins: tuple[str, ...] = ("*",),
            addresses: Addresses | None = None,
        ) -> World:
            serving = _serving(limits or LiveLimits(), origins, addresses or Addresses())
            return await running.enter_async_context(serving)

        yield start_one


@pytest.fixture
async def world(start: Start) -> World:
    """A server with the default limits."""
    return await start()


@contextlib.asynccontextmanager
async def _serving(
    limits: LiveLimits, origins: tuple[str, ...], addresses: Addresses
) -> AsyncIterator[World]:
    events, tokens, keys, bus = FakeEvents(), FakeTokens(), FakeKeys(), LocalBus()
    tokens.issue(TOKEN, ACCOUNT)
    tokens.issue(OTHER_TOKEN, OTHER)
    now = [1_700_000_000_000_000]
    deps = LiveDeps(
        events,
        tokens,
        bus,
        lambda: now[0],
        keys.admit,
        keys.refuse,
        keys.read,
        keys.told,
        keys.still_good,
        origins,
        limits,
        addresses,
        tokens.app_good,
    )
    rules = HttpRules(addresses=addresses, proxies=_TrustedHosts("127.0.0.1"))
    live = build_live(deps, api)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        live,
        http=functools.partial(EventHttp, rules=rules),  # type: ignore[arg-type]
        forwarded_allow_ips="127.0.0.1",
        ws=live.sockets,  # type: ignore[arg-type]
        lifespan="on",
        log_level="warning",
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve(sockets=[listener]))
    await until(lambda: server.started)
    port = listener.getsockname()[1]
    try:
        yield World(events, tokens, keys, bus, Phones(events, bus), live, port, server, now)
    finally:
        await live.close()
        server.should_exit = True
        await task


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for a condition, which is what a test is about; fail when it does not come."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (conditions of all kinds)
            await asyncio.sleep(0.005)


@pytest.fixture(scope="session")
def listen_js() -> list[str]:
    """The command of the JavaScript client, its packages installed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    assert node, "the tests of JavaScript clients need node"
    assert npm, "the tests of JavaScript clients need npm"
    if not (JS / "node_modules" / "socket.io-client-v1").exists():
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=JS, check=True, timeout=180)
    return [node, str(JS / "listen.mjs")]
