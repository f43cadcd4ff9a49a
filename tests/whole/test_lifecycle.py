"""How a server starts, shares a machine, and ends."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from .conftest import SHORT
from .ports import Ports
from .server import Server
from .stage import Stage, together
from .waiting import until

NUMBER = "84901230200"


async def test_a_second_server_on_one_data_directory_refuses(
    own_server: Server, ports: Ports
) -> None:
    first, engine = own_server.program, own_server.engine_pid
    again = Server.__new__(Server)
    again.__dict__.update(own_server.__dict__, http=f"127.0.0.1:{ports.one()}")
    second = again.launch()
    assert await second.ended(20) not in (0, None)
    assert first is not None
    assert first.status is None
    assert (await own_server.healthy(), own_server.engine_pid) == (True, engine)
    assert str(own_server.data) in second.tail(5)


async def test_two_servers_with_two_directories_run_side_by_side(
    own_server: Server, ports: Ports, tmp_path: Path
) -> None:
    other = Server(tmp_path / "other", ports.one(), ports.one(), ports.range(100), SHORT)
    try:
        await other.start()
        assert (await own_server.healthy(), await other.healthy()) == (True, True)
        assert own_server.engine_pid != other.engine_pid
    finally:
        assert await other.stop() == 0
    assert await own_server.healthy()


async def test_sigterm_lets_live_calls_end_and_takes_no_new_ones(
    own_stage: Stage, ports: Ports
) -> None:
    stage, server = own_stage, own_stage.server
    carrier, tenant = await stage.carrier(tone=900), await stage.tenant()
    await tenant.trunk(carrier.host)
    device, second = await together(tenant.user("last"), tenant.user("later"))
    phone, idle = await together(stage.phone(device), stage.phone(second))
    call_id = await tenant.click(device, NUMBER)
    await carrier.invited(NUMBER)
    await phone.wait_for("CALL_RTPESTAB")
    assert server.program is not None
    server.program.send(signal.SIGTERM)
    await until(lambda: refused(tenant.api.url), "healthz that is not 200")
    try:
        answer = await tenant.api.click_to_call(NUMBER, second.sip_user, second.password)
        assert (answer.status_code, answer.json()["message"]) == (503, "ENGINE_UNAVAILABLE")
    except httpx.HTTPError:
        assert server.program.status is not None
    assert (phone.ended, idle.rung) == (0, 0)
    await phone.hang_up()
    assert await server.program.ended(15) == 0
    assert server.engine_pid is None
    await server.start()
    record = await tenant.api.record(call_id)
    assert record["status_detail"] == "SUCCESS"


async def refused(url: str) -> bool:
    try:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{url}/healthz")).status_code != 200
    except httpx.HTTPError:
        return True


@pytest.mark.parametrize("signals", [1, 2])
async def test_calls_that_outlast_the_drain_are_ended_and_recorded(
    signals: int, own_stage: Stage
) -> None:
    stage, server = own_stage, own_stage.server
    carrier, tenant = await stage.carrier(tone=900), await stage.tenant()
    await tenant.trunk(carrier.host)
    device = await tenant.user("talker")
    phone = await stage.phone(device)
    call_id = await tenant.click(device, NUMBER)
    await phone.wait_for("CALL_RTPESTAB")
    await carrier.invited(NUMBER)
    await asyncio.sleep(2)  # they talk
    assert server.program is not None
    begin = time.monotonic()
    server.program.send(signal.SIGTERM)
    if signals == 2:
        await until(lambda: refused(tenant.api.url), "the drain")
        server.program.send(signal.SIGTERM)
    assert await server.program.ended(25) == 0
    took = time.monotonic() - begin
    await phone.wait_for("CALL_CLOSED")
    assert server.engine_pid is None
    assert took < (SHORT["drain_seconds"] if signals == 2 else SHORT["drain_seconds"] + 10)
    await server.start()
    assert (await tenant.api.record(call_id))["status_detail"] == "SUCCESS"


async def test_a_call_outlives_python_and_is_taken_over(own_stage: Stage) -> None:
    stage, server = own_stage, own_stage.server
    carrier, tenant = await stage.carrier(tone=900), await stage.tenant()
    await tenant.trunk(carrier.host)
    device = await tenant.user("steady")
    phone = await stage.phone(device, tone=500)
    call_id = await tenant.click(device, NUMBER)
    await phone.wait_for("CALL_RTPESTAB")
    engine = server.engine_pid
    await server.kill9()
    assert engine is not None
    os.kill(engine, 0)  # it is still there
    await server.start()
    assert (server.engine_pid, phone.ended) == (engine, 0)
    await phone.hang_up()
    record = await tenant.api.record(call_id)
    assert record["status_detail"] == "SUCCESS"


def private(data: Path, pid: int) -> bool:
    """Are the keys their owner's only, and no secret on the engine's command line?"""
    modes = [(data / name).stat().st_mode & 0o077 for name in ("secret.key", "server.json")]
    return not any(modes) and b"pass" not in Path(f"/proc/{pid}/cmdline").read_bytes().lower()


async def test_everything_private_is_for_its_owner_only(own_server: Server) -> None:
    assert own_server.engine_pid is not None
    assert private(own_server.data, own_server.engine_pid)


async def test_an_idle_engine_with_other_settings_starts_anew_each_time(own_server: Server) -> None:
    """As after an upgrade; its end may be noticed late, and must not pass for the start of the next."""
    for _ in range(4):
        before = own_server.engine_pid
        await own_server.kill9()
        (own_server.data / "engine/configured").write_text("other")
        await own_server.start()
        assert own_server.engine_pid not in (None, before)
