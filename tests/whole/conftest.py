"""The server that most whole tests share, and what is shown when one of them fails."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cluster import Cluster

from .firm import Firm
from .ports import Ports
from .program import Program
from .server import Server
from .stage import Stage
from .tls import certificate

HERE = Path(__file__).parent
SHORT: dict[str, Any] = {
    "device_ring_seconds": 5,
    "ring_seconds": 6,
    "recording_url_seconds": 8,
    "drain_seconds": 3,
    "trunk_qualify_seconds": 2,
    "webhook_allow": "127.0.0.0/8",
    "log_format": "console",
}
"""Settings that make waiting short; all other settings are as they come."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these run in one event loop, so that they can share the server and its phones."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.whole)
            item.add_marker(pytest.mark.timeout(240, func_only=True))
            if pytest_asyncio.is_async_test(item):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of every program's output below a test that failed."""
    report = yield
    if report.failed:
        running = [one for one in Program.seen if one.status is None or one.name.startswith("serv")]
        report.sections += [(f"end of {one.name}", one.tail()) for one in running[-8:]]
    return report


@pytest.fixture(scope="session")
def ports() -> Generator[Ports, None, None]:
    """This run's ports; says at once which programs are missing."""
    missing = [program for program in ("baresip", "sipp", "node") if not shutil.which(program)]
    if missing:
        pytest.fail(f"tests/whole need {', '.join(missing)}: `make test` gets them")
    mine = Ports()
    yield mine
    mine.close()


class Shared:
    """The servers that tests share, one on each kind of database; each starts when it is asked for."""

    def __init__(self, ports: Ports, folder: Path, database: Callable[[], str]) -> None:
        self._ports, self._folder, self._database = ports, folder, database
        self._servers: dict[str, Server] = {}

    async def on(self, kind: str) -> Server:
        """The one on ``sqlite`` or ``postgresql``."""
        if kind not in self._servers:
            self._servers[kind] = made = self._make(kind)
            await made.start()
        return self._servers[kind]

    def _make(self, kind: str) -> Server:
        folder, ports = self._folder / kind, self._ports
        folder.mkdir()
        cert, key = certificate(folder)
        address = f"127.0.0.1:{ports.one()}"
        more = {"sip_tls": address, "sip_tls_cert": str(cert), "sip_tls_key": str(key)}
        more |= {"database": self._database()} if kind == "postgresql" else {}
        made = Server(folder / "data", ports.one(), ports.one(), ports.keep(400), SHORT | more)
        made.ca_file, made.sip_tls = str(cert), address
        return made

    async def stop(self) -> None:
        """End them all."""
        for server in self._servers.values():
            await server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(
    ports: Ports, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Shared]:
    """The servers that tests share."""

    def database() -> str:
        cluster: Cluster = request.getfixturevalue("cluster")
        return cluster.url(cluster.create())

    mine = Shared(ports, tmp_path_factory.mktemp("shared"), database)
    try:
        yield mine
    finally:
        await mine.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(shared: Shared) -> Server:
    """The server that most tests share: each makes an account of its own."""
    return await shared.on("sqlite")


@pytest_asyncio.fixture(loop_scope="session")
async def stage(server: Server, ports: Ports, tmp_path: Path) -> AsyncIterator[Stage]:
    """Who takes part in this test, on the shared server."""
    mine = Stage(server, ports, tmp_path)
    yield mine
    await mine.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_stage(
    shared: Shared,
    ports: Ports,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Stage]:
    """Who takes part in this module's one long scene, on a shared server.

    Parametrized indirectly it is on ``sqlite`` or ``postgresql``.
    """
    server = await shared.on(getattr(request, "param", "sqlite"))
    mine = Stage(server, ports, tmp_path_factory.mktemp("stage"))
    yield mine
    await mine.close()


@pytest_asyncio.fixture(loop_scope="session")
async def own_server(
    ports: Ports, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Server]:
    """A server of the test's own, which it may kill; on ``sqlite`` or, indirectly, ``postgresql``."""
    settings = SHORT
    if getattr(request, "param", "sqlite") == "postgresql":
        cluster: Cluster = request.getfixturevalue("cluster")
        settings = SHORT | {"database": cluster.url(cluster.create())}
    mine = Server(tmp_path / "data", ports.one(), ports.one(), ports.range(600), settings)
    try:
        yield await mine.start()
    finally:
        await mine.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def own_stage(own_server: Server, ports: Ports, tmp_path: Path) -> AsyncIterator[Stage]:
    """Who takes part in this test, on a server of its own."""
    mine = Stage(own_server, ports, tmp_path)
    yield mine
    await mine.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def acme(module_stage: Stage) -> Firm:
    """alice, bob, carol and a carrier, for all tests of a module."""
    return await Firm.open(module_stage)


@pytest_asyncio.fixture(loop_scope="session")
async def firm(acme: Firm) -> AsyncIterator[Firm]:
    """The same, with nobody in a call and nothing told yet."""
    acme.begin()
    yield acme
    await acme.end()
