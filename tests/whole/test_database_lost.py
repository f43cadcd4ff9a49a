"""The database killed, and full, amid calls: they go on, and all of it is taken in afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cluster import Cluster

from .busy import Office, is_refusal
from .conftest import SHORT
from .ports import Ports
from .server import Server
from .stage import Stage
from .waiting import until


class Small:
    """A file system of a few megabytes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._ballast = folder, folder / "ballast"

    def fill(self) -> None:
        """Leave no room."""
        with contextlib.suppress(OSError), self._ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink()


@pytest.fixture
def small() -> Iterator[Small]:
    # Not under tmp_path: its parents are closed to PostgreSQL's user.
    folder = Path(tempfile.mkdtemp(prefix="tl-small-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m,mode=0755", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, check=False, text=True)
    if done.returncode and os.geteuid():
        pytest.skip(f"only root can mount a small file system: {done.stderr}")
    assert done.returncode == 0, done.stderr
    try:
        yield Small(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    mine = Cluster()
    yield mine
    mine.close()


@contextlib.asynccontextmanager
async def office_on(ports: Ports, folder: Path, settings: dict[str, Any]) -> AsyncIterator[Office]:
    """An office on a server of its own."""
    server = Server(folder / "data", ports.one(), ports.one(), ports.range(600), SHORT | settings)
    stage = Stage(server, ports, folder)
    try:
        await server.start()
        yield Office(stage)
    finally:
        await stage.close()
        await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def on_sqlite(small: Small, ports: Ports, tmp_path: Path) -> AsyncIterator[Office]:
    """An office whose database is a file on the small file system."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "trunkline.db").symlink_to(small.folder / "trunkline.db")
    async with office_on(ports, tmp_path, {}) as office:
        yield office


@pytest_asyncio.fixture(loop_scope="session")
async def on_postgresql(
    own_cluster: Cluster, small: Small, ports: Ports, tmp_path: Path
) -> AsyncIterator[Office]:
    """An office on a PostgreSQL of its own, whose tables are on the small file system."""
    name = own_cluster.create(tablespace=own_cluster.tablespace(small.folder))
    async with office_on(ports, tmp_path, {"database": own_cluster.url(name)}) as office:
        yield office


async def test_sqlite_is_full_amid_calls(on_sqlite: Office, small: Small) -> None:
    office = on_sqlite
    await office.open()
    await goes_on_while_full(office, small)
    await all_is_well(office)


async def test_postgresql_crashes_and_is_full_amid_calls(
    on_postgresql: Office, own_cluster: Cluster, small: Small
) -> None:
    office = on_postgresql
    await office.open()
    for lose in (own_cluster.stop, own_cluster.kill):
        await goes_on_without(office, own_cluster, lose)
    await goes_on_while_full(office, small)
    await all_is_well(office)


async def goes_on_without(office: Office, cluster: Cluster, lose: Callable[[], None]) -> None:
    await office.begins(3)
    await office.talk()
    await asyncio.to_thread(lose)
    await all_are_refused(office)
    await the_talk_ends(office)
    await until(lambda: asyncio.to_thread(cluster.starts), "PostgreSQL's start", 30)
    await until(office.is_ready, "/readyz 200", 30)


async def all_are_refused(office: Office) -> None:
    """What everybody is told while nothing can be read or stored."""
    await office.refusing()
    for _ in range(3):
        histories = await office.tenant.api.histories("2026-01-01", "2026-01-02")
        assert is_refusal(histories), histories.text
        listed = await office.v1("GET", "/v1/calls")
        assert (listed.status_code, listed.json()["code"]) == (503, "unavailable"), listed.text
        assert await office.is_not_ready()


async def the_talk_ends(office: Office) -> None:
    """And others, too."""
    done = office.calling.succeeded
    await until(lambda: office.calling.succeeded > done, "calls that end meanwhile")
    await office.phone.hang_up()
    await office.bob.wait_for("CALL_CLOSED")


async def goes_on_while_full(office: Office, small: Small) -> None:
    await office.begins(3)
    await office.talk()
    small.fill()
    await office.refusing()
    await until(office.is_not_ready, "/readyz 503", 30)
    begun = office.calling.begun
    await until(lambda: office.calling.begun > begun + 3, "calls that begin meanwhile")
    await the_talk_ends(office)
    histories = await office.tenant.api.histories("2026-01-01", "2026-01-02")
    assert histories.status_code == 200, histories.text
    small.free()
    await until(office.is_ready, "/readyz 200", 30)


async def all_is_well(office: Office) -> None:
    await office.begins(3)
    await office.close()
    records = await office.end()
    await office.recordings(records)
    await office.hears_all_of_alice(records)
