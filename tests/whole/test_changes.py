"""What the command line adds works at once on a running server, whatever kind of trunk it is."""

from __future__ import annotations

from typing import Any

import pytest

from .ports import loopback
from .stage import Stage
from .waiting import until


async def test_a_new_device_trunk_and_number_work_at_once(stage: Stage) -> None:
    tenant = await stage.tenant()
    device = await tenant.user("newcomer")
    phone = await stage.phone(device)
    carrier = await stage.carrier()
    await tenant.trunk(carrier.host)
    out = await tenant.click(device, "84901230903")
    assert (await tenant.api.record(out))["status_detail"] == "SUCCESS"
    await tenant.number("842873003000", "newcomer")
    calling = stage.calling(carrier.address, "842873003000", hold=1)
    assert await calling.finished() == 1
    assert phone.rung == 2


async def test_a_deleted_device_and_trunk_are_out_of_use_at_once(stage: Stage) -> None:
    tenant, carrier = await stage.tenant(), await stage.carrier()
    device = await tenant.user("leaver")
    await tenant.trunk(carrier.host)
    await stage.phone(device)
    await stage.server.cli("device", "disable", device.sip_user)
    refused = await tenant.api.click_to_call("84901230200", device.sip_user, device.password)
    assert (refused.status_code, refused.json()["message"]) == (401, "SIP_AUTH_FAILED")
    assert carrier.invites == []


@pytest.mark.parametrize("register", [False, True], ids=["plain", "registered"])
async def test_a_trunk_with_a_password(register: bool, stage: Stage) -> None:
    tenant = await stage.tenant()
    credentials: dict[str, Any] = {"user": "line7", "password": "s3cret-7"}
    carrier = await stage.carrier(challenge=True, **credentials)
    await tenant.trunk(
        carrier.host,
        *("--auth-user", "line7", "--auth-password", "s3cret-7"),
        *(["--register"] if register else []),
    )
    if register:
        await until(lambda: carrier.registered, "the registration at the carrier", 30)
    device = await tenant.user("digest")
    phone = await stage.phone(device)
    call_id = await tenant.click(device, "84901230903")
    assert (await tenant.api.record(call_id))["status_detail"] == "SUCCESS"
    assert "authorization" in (await carrier.invited("84901230903")).headers
    await tenant.number("842873004001" if register else "842873004000", "digest")
    did = "842873004001" if register else "842873004000"
    assert await stage.calling(carrier.address, did, hold=1).finished() == 1
    assert phone.rung == 2


async def test_two_accounts_may_have_the_same_extension_and_stay_apart(stage: Stage) -> None:
    one, other = await stage.tenant(), await stage.tenant()
    mine, hers = await one.user("ann", "--extension", "601"), await other.user("eve")
    theirs = await other.user("bea", "--extension", "601")
    ann, eve, bea = [await stage.phone(device) for device in (mine, hers, theirs)]
    await eve.dial("601")
    await bea.wait_for("CALL_ESTABLISHED")
    await eve.hang_up()
    await eve.wait_for("CALL_CLOSED")
    assert ann.rung == 0
    assert len(await other.api.records(1)) == 1
    assert await one.api.history() == []


async def test_a_trunk_to_another_account_is_not_used(stage: Stage) -> None:
    owner, poor, carrier = (
        await stage.tenant(),
        await stage.tenant(),
        await stage.carrier(loopback()),
    )
    await owner.trunk(carrier.host)
    device = await poor.user("poor")
    await stage.phone(device)
    answer = await poor.api.click_to_call("84901230200", device.sip_user, device.password)
    assert (answer.status_code, carrier.invites) in ((200, []), (400, []), (403, [])), answer.text
