"""A server that may open only so many files, and more idle clients than that; and one that can open, or write, none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
from pathlib import Path

from .conftest import SHORT
from .listener import SocketIo
from .ports import Ports
from .server import Server
from .stage import Stage, together
from .waiting import until

MOST = 160
"""Files. The server opens about 50 by itself, and its engine about as many."""


class Crowd:
    """Clients of several addresses that connect and say nothing; who is turned away comes again."""

    def __init__(self, address: str, size: int) -> None:
        self.host, port = address.split(":")
        self.port, self.turned_away = int(port), 0
        self._tasks = [asyncio.create_task(self._stay(f"127.0.0.{5 + n % 4}")) for n in range(size)]

    async def _stay(self, address: str) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(
                    self.host, self.port, local_addr=(address, 0)
                )
                try:
                    said = await reader.read(12)
                finally:
                    writer.close()
                self.turned_away += said == b"HTTP/1.1 503"
            except OSError:
                pass
            await asyncio.sleep(0.5)

    async def leave(self) -> None:
        """They all go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def test_more_idle_clients_than_files_end_nothing(ports: Ports, tmp_path: Path) -> None:
    server = Server(tmp_path / "data", ports.one(), ports.one(), ports.range(100), SHORT)
    server.descriptors = MOST
    stage = Stage(server, ports, tmp_path)
    crowd = None
    try:
        await server.start()
        tenant = await stage.tenant()
        devices = await together(
            tenant.user("one", "--extension", "101"), tenant.user("two", "--extension", "102")
        )
        one, two = await together(*map(stage.phone, devices))
        listener = await stage.listen(SocketIo, tenant)
        crowd = Crowd(server.http, MOST * 2)
        await until(lambda: crowd.turned_away > MOST, "the crowd", 60)

        await one.dial("102")
        await together(one.wait_for("CALL_ESTABLISHED"), two.wait_for("CALL_ESTABLISHED"))
        await two.wait_for("CALL_RTPESTAB")
        await one.hang_up()
        await listener.wait_for("CALL_ENDED", status_detail="SUCCESS")
        await listener.wait_for("RECORDING_READY")
        engine = server.kill9_engine()
        await until(lambda: server.engine_pid not in (None, engine), "another engine", 60)

        await crowd.leave()
        await until(server.healthy, "/healthz 200", 60)
        assert [each["status_detail"] for each in await tenant.api.history()] == ["SUCCESS"]
        assert server.program is not None
        assert "Too many open files" not in server.program.log.read_text()
        limits = {
            resource.prlimit(pid, resource.RLIMIT_NOFILE)
            for pid in (server.program.pid, server.engine_pid or 0)
        }
        assert limits == {(MOST, MOST)}
    finally:
        if crowd is not None:
            await crowd.leave()
        await stage.close()
        await server.stop()


async def test_no_file_at_all_and_a_log_that_takes_nothing_end_nothing(
    ports: Ports, tmp_path: Path
) -> None:
    """The engine makes a call meanwhile; what it tells is taken in once files can be had again."""
    server = Server(tmp_path / "data", ports.one(), ports.one(), ports.range(100), SHORT)
    server.output = Path("/dev/full")
    stage = Stage(server, ports, tmp_path)
    try:
        await server.start()
        tenant = await stage.tenant()
        devices = await together(
            tenant.user("one", "--extension", "101"), tenant.user("two", "--extension", "102")
        )
        one, two = await together(*map(stage.phone, devices))
        assert server.program is not None
        pid = server.program.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (10, limits[1]))
        await together(*(_unheard(server.http) for _ in range(30)))
        await one.dial("102")
        await together(one.wait_for("CALL_ESTABLISHED"), two.wait_for("CALL_ESTABLISHED"))
        await one.hang_up()
        await one.wait_for("CALL_CLOSED")
        await together(*(_unheard(server.http) for _ in range(30)))
        assert server.program.status is None
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)

        await until(server.healthy, "/healthz 200", 60)

        async def recorded() -> bool:
            return [each["status_detail"] for each in await tenant.api.history()] == ["SUCCESS"]

        await until(recorded, "the call's record", 60)
    finally:
        await stage.close()
        await server.stop()


async def test_a_log_that_nobody_reads_any_more_ends_nothing(ports: Ports, tmp_path: Path) -> None:
    server = Server(tmp_path / "data", ports.one(), ports.one(), ports.range(100), SHORT)
    reader, writer = os.pipe()
    server.output = writer
    try:
        program = server.launch()
        os.close(writer)
        os.close(reader)  # what is said of the start goes nowhere already
        await until(server.healthy, "/healthz 200", 60)
        engine = server.kill9_engine()  # which is told of
        await until(lambda: server.engine_pid not in (None, engine), "another engine", 60)
        await until(server.healthy, "/healthz 200", 60)
        assert program.status is None
    finally:
        status = await server.stop()
    assert status == 0


async def _unheard(address: str) -> None:
    """Connect, ask and leave; nobody need answer."""
    host, port = address.split(":")
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                await reader.read(1)
            finally:
                writer.close()
