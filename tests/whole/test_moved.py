"""Calls that are moved: blind transfers from both sides, pick-up by INVITE with Replaces, and 302."""

from __future__ import annotations

import asyncio
import json

import pytest

from .firm import BOBS_DID, FORBIDDEN, INBOUND, INTERNAL, OUT, Firm, Says
from .party import BY_HAND, Call, Taking
from .stories import (
    CLICKED,
    CUSTOMER,
    DIALLED,
    Kind,
    Side,
    called_by_a_customer,
    called_by_bob,
    calls_bob,
    clicks,
    clicks_bob,
    dials_out,
    named,
    send_on,
    talking,
)

FORWARDED = "0901234599"
REDIRECTED = "REDIRECTION_TO_NEW_DESTINATION"


# ---- Blind transfer --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (called_by_a_customer, CUSTOMER),
        (dials_out, DIALLED),
        (clicks, CLICKED),
        (calls_bob, "102"),
        (called_by_bob, "102"),
        (clicks_bob, "102"),
    ],
    ids=named,
)
async def test_a_blind_transfer_inside(kind: Kind, number: str, firm: Firm) -> None:
    """alice sends the other one to carol and is gone; one record as it began, recorded to its end.

    carol's phone shows the ``number`` of whom she talks with, and so do the events.
    """
    side, new = await send_on(firm, kind)
    await new.hang_up()
    told = await firm.told(*filter(None, [side.clicked]))
    assert told.says == [side.says]
    assert [new.caller_id, told.leg_to(firm.carol.user)["caller_id_number"]] == [number, number]
    await told.recorded(
        told.one,
        _talk(side, new),
        **side.channels([440, 830], [side.other.tone]),
    )


@pytest.mark.parametrize(
    ("kind", "number"),
    [(called_by_a_customer, CUSTOMER), (dials_out, DIALLED), (calls_bob, "102")],
    ids=named,
)
async def test_a_blind_transfer_outside(kind: Kind, number: str, firm: Firm) -> None:
    """alice, who has no caller ID of her own, sends the other one to a number outside."""
    firm.carrier.takings["0905000001"] = Taking(tone=2650)
    side, new = await send_on(firm, kind, "0905000001")
    await side.other.hang_up()
    told = await firm.told()
    assert told.says == [side.says]
    assert [new.caller_id, told.leg_to("0905000001")["caller_id_number"]] == [number, number]
    await told.recorded(told.one, _talk(side, new), **side.channels([440, 2650], [side.other.tone]))


async def test_a_blind_transfer_by_whoever_was_called(firm: Firm) -> None:
    """bob, whom alice called, sends her to carol: who takes over from him takes his channel."""
    talk = await firm.alice.dial("102").up()
    bob = await firm.bob.taken()
    await talking(talk, bob)
    assert (await bob.transfer("103"))[-1] == 200
    carol = await firm.carol.taken()
    await talking(talk, carol)
    await asyncio.sleep(1)
    await talk.hang_up()
    told = await firm.told()
    assert told.says == [Says(INTERNAL, "SUCCESS", "alice", "bob")]
    seconds = bob.left_at - bob.up_at + talk.over_at - carol.up_at
    await told.recorded(told.one, seconds, [440], [620, 830])


async def test_a_blind_transfer_to_somebody_who_lets_it_ring(firm: Firm) -> None:
    """The time in which the customer waits for carol is not billed, and not recorded."""
    firm.carol.taking = Taking(after=3)
    side = await called_by_a_customer(firm)
    await talking(side.hers, side.other)
    await side.hers.transfer("103")
    carol = await firm.carol.taken()
    await talking(side.other, carol)
    await asyncio.sleep(1)
    await carol.hang_up()
    told = await firm.told()
    assert told.says == [side.says]
    await told.recorded(told.one, _talk(side, carol), [1400], [440, 830])


async def test_a_blind_transfer_to_nobody(firm: Firm) -> None:
    """carol declines: what was said before stays said."""
    firm.carol.taking = Taking(code=486)
    side = await called_by_a_customer(firm)
    await talking(side.hers, side.other)
    await asyncio.sleep(1)
    await side.hers.transfer("103")
    await side.other.over()
    await side.hers.hang_up()
    told = await firm.told()
    assert told.says == [side.says]
    await told.recorded(told.one, side.hers.left_at - side.hers.up_at, [1400], [440])


@pytest.mark.parametrize("to", ["bob", "external_replaces", "s"])
async def test_a_transfer_to_no_number_changes_nothing(to: str, firm: Firm) -> None:
    side = await called_by_a_customer(firm)
    await talking(side.hers, side.other)
    assert (await side.hers.transfer(to))[-1] == 404
    await talking(side.hers, side.other)
    await side.hers.hang_up()
    assert (await firm.told()).says == [side.says]


async def test_who_forwarded_before_has_no_part_in_a_transfer(firm: Firm) -> None:
    """bob's phone forwards to carol, who sends the customer outside: not with bob's caller ID."""
    _forwards(firm, "103")
    customer = firm.carrier.dial(BOBS_DID, caller=CUSTOMER)
    carol = await firm.carol.taken()
    await talking(await customer.up(), carol)
    firm.carrier.takings["0905000004"] = Taking(tone=2650)
    sent = asyncio.create_task(carol.transfer("0905000004"))
    new = await firm.carrier.taken("0905000004")
    await sent
    assert new.caller_id == CUSTOMER
    await customer.hang_up()
    assert [one.status for one in (await firm.told()).says] == ["SUCCESS"]


async def test_a_carrier_cannot_transfer(firm: Firm) -> None:
    """Who is outside must not make us dial: the call goes on as it was."""
    side = await dials_out(firm)
    await talking(side.hers, side.other)
    assert (await side.other.transfer("0905000009"))[-1] >= 400
    await talking(side.hers, side.other)
    assert [call.number for call in firm.carrier.calls] == [DIALLED]
    await side.hers.hang_up()
    assert (await firm.told()).says == [side.says]


def _talk(side: Side, new: Call) -> float:
    """Until alice left, and from when the new one answered until the first of the two left."""
    began = max(side.hers.up_at, side.other.up_at)
    ended = min(side.other.over_at, new.over_at)
    return side.hers.left_at - began + ended - new.up_at


# ---- Pick-up ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("inbound", [True, False], ids=["from outside", "from inside"])
async def test_a_ringing_call_is_picked_up(inbound: bool, firm: Firm) -> None:
    """carol takes the call that rings at bob's, by INVITE with Replaces."""
    firm.bob.taking = BY_HAND
    caller = firm.carrier.dial(BOBS_DID, caller=CUSTOMER) if inbound else firm.alice.dial("102")
    ringing = await firm.bob.rung()
    await caller.alerted()
    taken = await firm.carol.dial("102", replaces=ringing).up()
    await talking(await caller.up(), taken)
    await ringing.over()
    assert ringing.code == 487
    await asyncio.sleep(1)
    await caller.hang_up()
    told = await firm.told(unlisted=1)  # carol's own call: it only picks up
    wanted = (
        Says(INBOUND, "SUCCESS", CUSTOMER, "carol", BOBS_DID)
        if inbound
        else Says(INTERNAL, "SUCCESS", "alice", "carol")
    )
    main = told.which(wanted)
    assert {told.merges.get(one["call_id"]) for one in told.records if one != main} <= {
        main["call_id"]
    }
    seconds = min(caller.over_at, taken.over_at) - max(caller.up_at, taken.up_at)
    await told.recorded(main, seconds, [caller.tone], [830])


async def test_a_click_is_picked_up_where_it_rings(firm: Firm) -> None:
    """alice has clicked bob's extension; carol answers in his place."""
    firm.bob.taking = BY_HAND
    call_id = await firm.click("102")
    hers = await firm.alice.taken()
    taken = await firm.carol.dial("102", replaces=await firm.bob.rung()).up()
    await talking(hers, taken)
    await asyncio.sleep(1)
    await hers.hang_up()
    told = await firm.told(call_id, unlisted=1)
    main = told.which(Says(INTERNAL, "SUCCESS", "alice", "carol"))
    assert main["call_id"] == call_id
    assert told.leg_to(firm.devices["bob"].sip_user)["hangup_cause"] == "LOSE_RACE"
    await told.recorded(main, hers.over_at - taken.up_at, [440], [830])


@pytest.mark.parametrize("to", ["102", "0905000001"])
async def test_who_took_over_a_talk_can_transfer_it(to: str, firm: Firm) -> None:
    """carol takes alice's place (INVITE with Replaces), and sends the customer on under her own rights."""
    firm.carrier.takings["0905000001"] = Taking(tone=2650)
    side = await called_by_a_customer(firm)
    await talking(side.hers, side.other)
    taken = await firm.carol.dial("101", replaces=side.hers).up()
    await talking(taken, side.other)
    assert (await taken.transfer(to))[-1] == 200
    new = await (firm.bob.taken() if to == "102" else firm.carrier.taken(to))
    await talking(side.other, new)
    await side.other.hang_up()
    told = await firm.told(unlisted=1)
    assert side.says in told.says


# ---- Forwarded by the phone itself -----------------------------------------------------------------


def _forwards(firm: Firm, to: str) -> None:
    server = firm.stage.server.sip
    firm.bob.taking = Taking(code=302, to=f"sip:{to}@{server}", after=0.3)


@pytest.mark.parametrize("inbound", [True, False], ids=["from outside", "from inside"])
@pytest.mark.parametrize("to", [FORWARDED, "103"])
async def test_a_phone_forwards(to: str, inbound: bool, firm: Firm) -> None:
    """bob's phone answers 302: one record as it began, callee is who answered, no phantom legs."""
    _forwards(firm, to)
    caller = firm.carrier.dial(BOBS_DID, caller=CUSTOMER) if inbound else firm.alice.dial("102")
    outside = to == FORWARDED
    new = await (firm.carrier.taken(FORWARDED) if outside else firm.carol.taken())
    await talking(await caller.up(), new) if new.tone != caller.tone else await caller.up()
    await asyncio.sleep(1.5)
    await caller.hang_up()
    told = await firm.told()
    callee = FORWARDED if outside else "carol"
    assert told.says == [
        Says(INBOUND, "SUCCESS", CUSTOMER, callee, BOBS_DID)
        if inbound
        else Says(INTERNAL, "SUCCESS", "alice", callee)
    ]
    devices = firm.devices
    reached = [leg["to"].partition("@")[0] for leg in told.legs()
               if leg["call_direction"] == "outbound"]  # fmt: skip
    assert sorted(reached) == sorted(
        [devices["bob"].sip_user, FORWARDED if outside else devices["carol"].sip_user]
    )
    told.billed(told.one, caller.over_at - max(caller.up_at, new.up_at))
    forwarding = told.leg_to(devices["bob"].sip_user)
    assert (forwarding["hangup_cause"], forwarding["hangup_code"]) == (REDIRECTED, "sip:302")
    if outside:
        # It is bob's number that is shown: he is who forwards.
        assert (new.number, new.caller_id) == (FORWARDED, BOBS_DID)
        assert told.leg_to(FORWARDED)["caller_id_number"] == BOBS_DID


async def test_a_phone_forwards_to_32_digits_behind_a_plus(firm: Firm) -> None:
    """As long as a number may be, whoever dials it: a phone, a click or a forward."""
    longest = f"+{'2' * 32}"
    _forwards(firm, longest)
    for number in ("102", longest):
        caller = firm.alice.dial(number)
        assert (await firm.carrier.taken()).number == longest
        await caller.hang_up()
    assert len((await firm.told()).says) == 2


@pytest.mark.parametrize(
    "to", [FORBIDDEN + "000001", "0901,9", "sip", "999999999999999999999999999999999"]
)
async def test_a_forward_never_goes_past_the_policy(to: str, firm: Firm) -> None:
    """bob may not dial it: it is as without the forward, and nobody is called."""
    _forwards(firm, to)
    caller = firm.alice.dial("102")
    await caller.over()
    assert caller.code >= 400
    told = await firm.told()
    assert [(one.kind, one.caller) for one in told.says] == [(INTERNAL, "alice")]
    assert told.says[0].status in ("BUSY", "UNSUCCESS")
    assert told.one["billing_seconds"] == 0
    assert firm.carrier.calls == []
    assert len(told.legs()) == 2
    assert "from-device" not in json.dumps([seen.data for seen in told.events])


async def test_a_phone_forwards_what_was_handed_over_while_it_rang(firm: Firm) -> None:
    """alice hands the customer over to bob before he has answered; then his phone sends her on."""
    firm.bob.taking = BY_HAND
    firm.carrier.takings[FORWARDED] = Taking(tone=2650)
    side = await called_by_a_customer(firm)
    await talking(side.hers, side.other)
    await side.hers.hold()
    asking = await firm.alice.dial("102").alerted()
    ringing = await firm.bob.rung()
    moving = asyncio.create_task(side.hers.transfer(asking))
    await side.hers.over()
    await ringing.refuse(302, f"sip:{FORWARDED}@{firm.stage.server.sip}")
    new = await firm.carrier.taken(FORWARDED)
    await talking(side.other, new)
    await moving
    assert new.caller_id == BOBS_DID
    await side.other.hang_up()
    told = await firm.told()
    assert told.says == [side.says, Says(INTERNAL, "CANCELLED", "alice", "bob")]


async def test_a_forward_that_came_to_nothing_is_forgotten(firm: Firm) -> None:
    """One of bob's phones forwards, the other one answers and sends alice to carol, who declines."""
    _forwards(firm, FORWARDED)
    firm.carol.taking = Taking(code=486)
    second = await firm.stage.party(await firm.tenant.device("bob"), tone=700)
    second.taking = Taking(after=1)
    talk = await firm.alice.dial("102").up()
    answered = await second.taken()
    await talking(talk, answered)
    await answered.transfer("103")
    await talk.over()
    told = await firm.told()
    await second.register(0)
    await second.close()
    assert told.says == [Says(INTERNAL, "SUCCESS", "alice", "bob")]
    assert firm.carrier.calls == []


@pytest.mark.parametrize("to", [None, "sip:{server}", "sip:101@{server}"])
async def test_a_302_that_names_nobody_or_the_caller(to: str | None, firm: Firm) -> None:
    """It is as if the phone could not be reached, and the caller is not sent elsewhere."""
    where = to.format(server=firm.stage.server.sip) if to else None
    firm.bob.taking = Taking(code=302, to=where, after=0.3)
    caller = firm.alice.dial("102")
    await caller.over()
    assert caller.code == 480
    told = await firm.told()
    assert told.says == [Says(INTERNAL, "UNSUCCESS", "alice", "bob")]
    assert len(told.legs()) == 2
    forwarding = told.leg_to(firm.devices["bob"].sip_user)
    assert (forwarding["hangup_cause"], forwarding["hangup_code"]) == (REDIRECTED, "sip:302")


async def test_a_forward_to_somebody_who_is_busy(firm: Firm) -> None:
    _forwards(firm, FORWARDED)
    firm.carrier.takings[FORWARDED] = Taking(code=486, after=0.3)
    caller = firm.carrier.dial(BOBS_DID, caller=CUSTOMER)
    await caller.over()
    assert caller.code == 486
    assert (await firm.told()).says == [Says(INBOUND, "BUSY", CUSTOMER, "bob", BOBS_DID)]


@pytest.mark.parametrize("number", ["102", DIALLED])
async def test_a_redirect_to_no_number_stays_ours(number: str, firm: Firm) -> None:
    """The caller is not sent elsewhere by a 302: the phone, or the trunk, cannot be reached."""
    nowhere = Taking(code=302, to="sip:127.9.9.9")
    firm.bob.taking = firm.carrier.taking = nowhere
    caller = await firm.alice.dial(number).over()
    assert caller.code in (480, 502)
    assert [one.status for one in (await firm.told()).says] == ["UNSUCCESS"]


async def test_two_phones_that_forward_to_each_other(firm: Firm) -> None:
    """A loop ends by itself."""
    server = firm.stage.server.sip
    _forwards(firm, "103")
    firm.carol.taking = Taking(code=302, to=f"sip:102@{server}")
    caller = firm.alice.dial("102")
    await caller.over(30)
    assert caller.code >= 400
    told = await firm.told()
    assert told.says[0].status in ("BUSY", "UNSUCCESS")
    assert len(told.legs()) <= 26  # 25 steps, and the caller


async def test_a_carriers_302_to_a_forwarded_call_is_not_followed(firm: Firm) -> None:
    _forwards(firm, FORWARDED)
    elsewhere = f"sip:0905000003@{firm.stage.server.sip}"
    firm.carrier.takings[FORWARDED] = Taking(code=302, to=elsewhere)
    caller = firm.alice.dial("102")
    await caller.over()
    assert caller.code == 502
    told = await firm.told()
    assert told.says == [Says(INTERNAL, "UNSUCCESS", "alice", "bob")]
    assert told.leg_to(FORWARDED)["hangup_code"] == "sip:302"
    assert [call.number for call in firm.carrier.calls] == [FORWARDED]


async def test_a_carriers_302_is_not_followed(firm: Firm) -> None:
    """The trunk failed, and nobody else is called."""
    server = firm.stage.server.sip
    firm.carrier.takings[DIALLED] = Taking(code=302, to=f"sip:0905000003@{server}")
    caller = firm.alice.dial(DIALLED)
    await caller.over()
    told = await firm.told()
    assert told.says == [Says(OUT, "UNSUCCESS", "alice", DIALLED)]
    assert told.leg_to(DIALLED)["hangup_code"] == "sip:302"
    assert [call.number for call in firm.carrier.calls] == [DIALLED]
    assert len(told.legs()) == 2
