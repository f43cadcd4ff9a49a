"""A backup of a server that is in use is a server, elsewhere."""

from __future__ import annotations

from pathlib import Path

from .api import Api
from .ports import Ports
from .server import Server
from .stage import Stage

NUMBER = "84901230911"


def elsewhere(server: Server, data: Path, ports: Ports) -> Server:
    """A server on a data directory that is there already, with ports of its own."""
    other = Server.__new__(Server)
    http, sip, rtp = ports.one(), ports.one(), ports.range(100)
    other.__dict__.update(
        server.__dict__,
        data=data,
        http=f"127.0.0.1:{http}",
        sip=f"127.0.0.1:{sip}",
        rtp=f"{rtp[0]}-{rtp[1]}",
        url=f"http://127.0.0.1:{http}",
        program=None,
    )
    return other


async def test_a_restored_backup_starts_and_has_what_was(
    own_stage: Stage, ports: Ports, tmp_path: Path
) -> None:
    stage, server = own_stage, own_stage.server
    carrier, tenant = await stage.carrier(tone=900), await stage.tenant()
    await tenant.trunk(carrier.host)
    device = await tenant.user("an")
    phone = await stage.phone(device)
    over = await tenant.click(device, NUMBER)
    await carrier.invited(NUMBER)
    await phone.wait_for("CALL_RTPESTAB")
    await phone.hang_up()
    ended = await tenant.api.record(over)
    live = await tenant.click(device, f"{NUMBER}2")
    await phone.wait_for("CALL_RTPESTAB")

    made = await server.cli("backup", str(tmp_path / "backups"))
    new = tmp_path / "restored"
    again = elsewhere(server, new, ports)
    restored = await again.cli("restore", made["backup"])

    assert restored["data"] == str(new)
    await phone.hang_up()
    try:
        await again.start()
        api = Api(again.url, tenant.api.account_id, tenant.api.app_id, tenant.api.secret)
        assert await api.record(over) == ended
        lost = await api.record(
            live, timeout=90
        )  # a call without channels is looked for twice a minute
        assert lost["status_detail"] == "SUCCESS"
        assert (await api.play_recording(ended["recording"])).status_code in (200, 409)
        assert await again.cli("db", "check") == []
    finally:
        await again.stop()
