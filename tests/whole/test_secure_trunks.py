"""Trunks over TLS: the carrier is another Trunkline, and carriers whose certificate is worth nothing."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from .conftest import SHORT
from .listener import RawWebSocket
from .ports import Ports, loopback
from .server import Server
from .stage import Device, Stage, Tenant, together
from .test_secure_phones import audio, over_tls
from .test_trunks import told, up_and_why
from .tls import certificate
from .waiting import until


def _server(ports: Ports, folder: Path, **settings: Any) -> Server:
    folder.mkdir()
    cert, key = certificate(folder)
    address = f"127.0.0.1:{ports.one()}"
    settings |= {"sip_tls": address, "sip_tls_cert": str(cert), "sip_tls_key": str(key)}
    made = Server(folder / "data", ports.one(), ports.one(), ports.range(200), SHORT | settings)
    made.ca_file, made.sip_tls = str(cert), address
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def both(
    ports: Ports, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Server, Server]]:
    """A server, and another one that is its carrier, whose self-signed certificate it trusts."""
    folder = tmp_path_factory.mktemp("tls")
    carrier = _server(ports, folder / "carrier")
    mine = _server(ports, folder / "mine", sip_tls_ca=carrier.ca_file)
    try:
        yield (await mine.start(), await carrier.start())
    finally:
        await mine.stop()
        await carrier.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def stages(
    both: tuple[Server, Server], ports: Ports, tmp_path: Path
) -> AsyncIterator[tuple[Stage, Stage]]:
    made = [Stage(server, ports, tmp_path / name) for server, name in zip(both, "ab", strict=True)]
    for one in made:
        one.folder.mkdir()
    yield made[0], made[1]
    for one in made:
        await one.close()


async def _line(tenant: Tenant, login: str, srtp: str) -> Device:
    """What the trunk is at the carrier: a device of ours there. The carrier calls it by its login."""
    whose = ("--account", tenant.name)
    *_, made = await tenant.server.commands(
        ("user", "create", *whose, "line", "--extension", "300"),
        ("device", "create", *whose, "--user", "line", "--sip-user", login, "--srtp", srtp),
    )
    return Device(made["sipUser"], made["sipPassword"], "line")


@pytest.mark.parametrize("srtp", ["off", "required"])
async def test_calls_go_both_ways_over_tls(srtp: str, stages: tuple[Stage, Stage]) -> None:
    (here, there), login = stages, f"8428{secrets.randbelow(10**7):07}"
    mine, carriers = await together(here.tenant(), there.tenant())
    agent, far, line = await together(
        mine.user("agent", "--extension", "101"),
        carriers.user("far", "--extension", "200"),
        _line(carriers, login, srtp),
    )
    listener = await here.listen(RawWebSocket, mine)
    trunk = await mine.trunk(
        there.server.sip_tls,
        *("--transport", "tls", "--register", "--srtp", srtp),
        *("--auth-user", line.sip_user, "--auth-password", line.password),
    )
    await mine.number(login, "agent")
    assert up_and_why(await told(listener, "TRUNK_UP", 1))[1] is True

    phone, peer = await together(
        here.phone(agent, tone=500), there.phone(far, tone=900, **over_tls(there))
    )
    both = ((phone, peer, "200"), (peer, phone, "300"))
    for calls, (caller, callee, number) in enumerate(both, 1):
        await caller.dial(number)
        await together(caller.wait_for("CALL_ESTABLISHED"), callee.wait_for("CALL_ESTABLISHED"))
        await asyncio.sleep(2)
        await caller.hang_up()
        await together(caller.wait_for("CALL_CLOSED"), callee.wait_for("CALL_CLOSED"))
        assert phone.heard.share(0, 900) > 0.5
        assert peer.heard.share(0, 500) > 0.5
        secret = {each.said for each in await audio(mine, calls) if each.secret}
        wanted = {">INVITE", "<200"} if caller is phone else {"<INVITE", ">200"}
        assert secret == (wanted if srtp == "required" else set())
    # Calls in are known by the carrier's address, and the next test's come from the same.
    await here.server.cli("trunk", "delete", trunk["trunkId"])
    await there.server.cli("device", "delete", line.sip_user)


@asynccontextmanager
async def a_carrier(folder: Path, at: str, port: int, **cert: Any) -> AsyncIterator[None]:
    """It shakes hands, and says nothing."""
    file, key = certificate(folder, **{"address": at, **cert})
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(file, key)
    server = await asyncio.start_server(_silent, at, port, ssl=shown)
    async with server:
        yield


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@pytest.mark.parametrize("cert", [{}, {"days": -1}, {"address": "127.0.0.1"}])
async def test_a_carrier_whose_certificate_is_worth_nothing_is_refused(
    cert: dict[str, Any], stage: Stage, tmp_path: Path
) -> None:
    tenant = await stage.tenant()
    listener = await stage.listen(RawWebSocket, tenant)
    address, port = loopback(), stage.ports.one()
    async with a_carrier(tmp_path, address, port, **cert):
        await tenant.trunk(f"{address}:{port}", "--transport", "tls")
        down = await told(listener, "TRUNK_DOWN", 1)
    assert up_and_why(down)[1:3] == (False, "CERTIFICATE_REFUSED")
    await until(lambda: "trunk.certificate_refused" in stage.server.log, "the log's line")


async def test_srtp_of_a_trunk_needs_tls(stage: Stage) -> None:
    tenant = await stage.tenant()
    with pytest.raises(AssertionError, match="--srtp optional needs --transport tls"):
        await tenant.trunk("127.0.0.9:5060", "--srtp", "optional")
