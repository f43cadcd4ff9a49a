"""What the command line tells of calls while a server makes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .listener import SocketIo, snake
from .program import Program
from .server import TRUNKLINE
from .stage import Stage
from .waiting import until

NUMBER = "84901230903"
"""The carrier answers this one at once, and hangs up after 3 seconds."""


async def test_a_call_can_be_looked_at_from_its_start_to_its_recording(
    stage: Stage, tmp_path: Path
) -> None:
    tenant = await stage.tenant()
    device = await tenant.user("an", "--extension", "101")
    carrier = await stage.carrier(tone=880)
    await tenant.trunk(carrier.host)
    listener = await stage.listen(SocketIo, tenant, 0)
    tail = Program(
        "calls tail",
        [TRUNKLINE, "--data", str(stage.server.data), "calls", "tail", "--json",
         "--account", tenant.name, "--after", "0"],
        tmp_path / "tail.log",
    )  # fmt: skip
    cli = stage.server.cli

    def told() -> list[Any]:
        return [json.loads(line) for line in tail.log.read_text().splitlines()]

    try:
        await stage.phone(device)
        call_id = await tenant.click(device, NUMBER)
        [live] = await until(lambda: cli("calls", "list", "--account", tenant.name), "a live call")
        await until(lambda: any(e["Event-Name"] == "RECORDING_READY" for e in told()), "its end")
    finally:
        await tail.stop()
    await listener.events.wait(lambda one: one.name == "RECORDING_READY", "RECORDING_READY")

    assert live["callId"] == call_id
    assert [event["Event-Seq"] for event in told()] == list(range(1, len(told()) + 1))
    assert [snake(event) for event in told()] == [one.data for one in listener.events.all]

    call = await cli("calls", "show", call_id)
    assert (call["state"], call["statusDetail"], len(call["legs"])) == ("ended", "SUCCESS", 2)
    ours = [event for event in told() if "call_id" in event]
    assert call["events"] == ours
    await its_sip_messages_are_there(stage, call_id)
    [row] = await cli("history", "--account", tenant.name)
    assert row["call_id"] == call_id
    saved = await cli("recording", "get", call_id, "-o", str(tmp_path / "call.mp3"))
    assert (tmp_path / "call.mp3").stat().st_size == saved["bytes"] > 1000
    assert await cli("calls", "list", "--account", tenant.name) == []


async def its_sip_messages_are_there(stage: Stage, call_id: str) -> None:
    """Of both legs, in their order, and of nothing else."""

    async def both_byes_answered() -> Any:
        call = await stage.server.cli("calls", "show", call_id)
        byes = [
            one for one in call["sipMessages"] if (one["status"], one["cseq"][-3:]) == (200, "BYE")
        ]
        return call if len(byes) == 2 else None

    call = await until(both_byes_answered, "the SIP messages of both legs")
    phone, trunk = (leg["legId"] for leg in call["legs"])
    said = {
        leg: [_in_short(one) for one in call["sipMessages"] if one["legId"] == leg]
        for leg in (phone, trunk)
    }
    wanted = [">INVITE", "<200 INVITE", ">ACK", ">BYE", "<200 BYE"]
    assert [one for one in said[phone] if one in wanted] == wanted
    wanted = [">INVITE", "<200 INVITE", ">ACK", "<BYE", ">200 BYE"]
    assert [one for one in said[trunk] if one in wanted] == wanted
    assert all(one["text"].startswith(one["method"] or "SIP/2.0") for one in call["sipMessages"])
    times = [one["at"] for one in call["sipMessages"]]
    assert times == sorted(times)
    assert not {one["method"] for one in call["sipMessages"]} & {"REGISTER", "OPTIONS"}


def _in_short(one: Any) -> str:
    said = one["method"] or f"{one['status']} {one['cseq'].split()[-1]}"
    return ("<" if one["direction"] == "received" else ">") + str(said)
