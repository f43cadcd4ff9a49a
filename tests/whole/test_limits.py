"""One stolen SIP password: how many calls it gets to the outside, and that others' calls go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from .firm import FORBIDDEN, Firm
from .party import BY_HAND, Call, Party, Taking
from .stage import Device, Stage
from .waiting import NeverHappened, until

MOST = 10
"""A device's limit, where nothing is said."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def firm(module_stage: Stage) -> Firm:
    return await Firm.open(module_stage, recorded=False)


@pytest_asyncio.fixture(loop_scope="session")
async def scene(firm: Firm) -> AsyncIterator[Firm]:
    firm.begin()
    await limit(firm, "alice", "--max-rate", "none")
    yield firm
    await firm.end()
    await limit(firm, "alice", "--max-calls", str(MOST))


async def limit(firm: Firm, username: str, *options: str) -> None:
    await firm.stage.server.cli("device", "set", firm.devices[username].sip_user, *options)


def refusals(firm: Firm) -> list[tuple[str, str | None]]:
    """Why calls were refused, and on whose behalf they were."""
    told = [seen.data for seen in firm.events if seen.name == "CALL_REFUSED"]
    users = {device.sip_user: name for name, device in firm.devices.items()}
    return [(one["reason"], users.get(one.get("refused_device", ""))) for one in told]


async def told_refused(firm: Firm, *wanted: tuple[str, str | None]) -> None:
    try:
        await until(lambda: refusals(firm) == [*wanted], f"just {wanted}", 10)
    except NeverHappened as error:
        raise NeverHappened(f"{error}: {refusals(firm)}") from None


async def decided(call: Call) -> bool:
    """Is it up? Else it was refused."""
    await until(lambda: call.up_at or call.code >= 300, "an answer", 20)
    return bool(call.up_at)


async def flood(party: Party, calls: int, seconds: float) -> tuple[list[Call], list[Call]]:
    """So many calls, each begun whatever became of those before: those that are up, and those that are refused."""
    made = []
    for nth in range(calls):
        made.append(party.dial(f"0901{nth:06}"))
        await asyncio.sleep(seconds / calls)
    up = [await decided(call) for call in made]
    return (
        [call for call, is_up in zip(made, up, strict=True) if is_up],
        [call for call, is_up in zip(made, up, strict=True) if not is_up],
    )


async def test_150_calls_by_one_password_leave_ten(scene: Firm) -> None:
    up, refused = await flood(scene.alice, 150, 3)
    assert len(up) == len(scene.carrier.live) == MOST
    assert {call.code for call in refused} == {503}
    await told_refused(scene, *[("DEVICE_CALLS", "alice")] * (150 - MOST))
    # Somebody else's calls go on.
    talk = await scene.bob.dial("0902000001").up()
    await talk.voice.hears(scene.carrier.tone)
    await talk.hang_up()
    for call in up:
        await call.hang_up()
    await until(lambda: not scene.carrier.live, "the end of all", 10)
    ended = [seen.data for seen in scene.events if seen.name == "CALL_ENDED"]
    assert {
        (one["class"], one["direction"], one["status_detail"], one["hangup_cause"])
        for one in ended
        if one["status_detail"] != "SUCCESS"
    } == {("trunking", "from_ab", "UNSUCCESS", "NORMAL_CIRCUIT_CONGESTION")}
    metrics = (await scene.tenant.api.http.get("/metrics")).text
    counted = metrics.partition('trunkline_calls_refused_total{reason="DEVICE_CALLS"} ')[2]
    assert float(counted.split()[0]) >= 150 - MOST


async def test_of_calls_at_one_moment_as_many_go_out_as_there_are_places(scene: Firm) -> None:
    up, _ = await flood(scene.alice, 20, 0.001)
    # Beside another load, those that try again may miss one.
    assert MOST - 1 <= len(up) <= MOST
    await up[0].hang_up()
    await until(lambda: len(scene.carrier.live) == len(up) - 1, "the end of one", 10)
    again, _ = await flood(scene.alice, 2, 0.2)
    assert len(again) == MOST - len(up) + 1


async def test_a_limit_that_is_changed_holds_at_once(scene: Firm) -> None:
    first = await scene.alice.dial("0901000001").up()
    await limit(scene, "alice", "--max-calls", "1")
    assert not await decided(scene.alice.dial("0901000002"))
    assert not first.over_at
    await limit(scene, "alice", "--max-calls", "2")
    assert await decided(scene.alice.dial("0901000003"))
    await limit(scene, "alice", "--max-calls", "none", "--max-rate", "3")
    up, refused = await flood(scene.alice, 6, 0.1)
    assert (len(up), len(refused)) == (3, 3)
    await told_refused(scene, ("DEVICE_CALLS", "alice"), *[("DEVICE_RATE", "alice")] * 3)
    # Inside there is no limit.
    assert await decided(scene.alice.dial("102"))


async def test_a_line_that_is_handed_over_stays_whose_it_was(scene: Firm) -> None:
    await limit(scene, "alice", "--max-calls", "2")
    one = await scene.alice.dial("0901000001").up()
    await one.transfer("102")
    await scene.bob.taken()
    other = await scene.alice.dial("0901000002").up()
    assert not await decided(scene.alice.dial("0901000003"))
    # By a transfer to the outside there would be three.
    await other.transfer("0901000004")
    await told_refused(scene, *[("DEVICE_CALLS", "alice")] * 2)
    assert await decided(scene.bob.dial("0901000005"))


async def test_a_phone_that_forwards_has_its_own_limit(scene: Firm) -> None:
    await limit(scene, "bob", "--max-calls", "1")
    await limit(scene, "alice", "--max-calls", "0")
    scene.bob.taking = Taking(code=302, to=f"sip:0901000006@{scene.stage.server.sip}")
    call = scene.alice.dial("102")
    assert await decided(call)
    assert not await decided(scene.carol.dial("102"))
    await told_refused(scene, ("DEVICE_CALLS", "bob"))
    await limit(scene, "bob", "--max-calls", str(MOST))
    scene.bob.taking = Taking(code=302, to=f"sip:{FORBIDDEN}07@{scene.stage.server.sip}")
    assert not await decided(scene.carol.dial("102"))
    await told_refused(scene, ("DEVICE_CALLS", "bob"), ("NOT_ALLOWED", "carol"))


async def test_names_that_differ_by_case_are_two_devices(scene: Firm) -> None:
    """Asterisk's groups know no case."""
    server, alice = scene.stage.server, scene.devices["alice"]
    made = await server.cli(
        *("device", "create", "--account", scene.tenant.name, "--user", "alice"),
        *("--sip-user", alice.sip_user.upper(), "--max-calls", "1"),
    )
    other = await scene.stage.party(Device(made["sipUser"], made["sipPassword"], "alice"))
    try:
        await limit(scene, "alice", "--max-calls", "1")
        assert await decided(scene.alice.dial("0901000010"))
        call = other.dial("0901000011")
        assert await decided(call)
        await told_refused(scene)
        await call.hang_up()
    finally:
        await other.close()
        await server.cli("device", "delete", made["sipUser"])


async def test_an_account_and_a_trunk_have_limits(scene: Firm) -> None:
    cli, name = scene.stage.server.cli, scene.tenant.name
    trunk = ("trunk", "set", "carrier", "--account", name, "--max-calls")
    await cli(*trunk, "2")
    # A call in takes a line, too, and finds one where there is none: the carrier knows how many it has.
    scene.alice.taking = BY_HAND
    scene.carrier.dial("02873010001")
    ringing = await scene.alice.rung()
    up, refused = await flood(scene.bob, 2, 0.1)
    assert (len(up), len(refused)) == (1, 1)
    await ringing.pick_up()
    await told_refused(scene, ("TRUNK_CALLS", "bob"))
    await cli(*trunk, "100")
    await cli("account", "set", name, "--max-calls", "1")
    assert not await decided(scene.bob.dial("0901000008"))
    await told_refused(scene, ("TRUNK_CALLS", "bob"), ("ACCOUNT_CALLS", "bob"))
    answer = await scene.tenant.api.click_to_call(
        "0901000009", scene.devices["carol"].sip_user, scene.devices["carol"].password
    )
    assert (answer.status_code, answer.json()["message"]) == (503, "RATE_LIMITED")
    assert "retry-after" in answer.headers
    await cli("account", "set", name, "--max-calls", "50")


async def test_a_number_that_may_not_be_dialled_is_told_of(scene: Firm) -> None:
    assert not await decided(scene.alice.dial(f"{FORBIDDEN}123456"))
    assert not await decided(scene.alice.dial(f"+{FORBIDDEN}123456"))
    await told_refused(scene, ("NOT_ALLOWED", "alice"), ("NOT_ALLOWED", "alice"))
