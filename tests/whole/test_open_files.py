"""A server that may open only so many files, and more idle clients than that."""

from __future__ import annotations

import asyncio
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
    """Clients that connect and say nothing; who is turned away comes again."""

    def __init__(self, address: str, size: int) -> None:
        self.host, port = address.split(":")
        self.port, self.turned_away = int(port), 0
        self._tasks = [asyncio.create_task(self._stay()) for _ in range(size)]

    async def _stay(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(self.host, self.port)
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
