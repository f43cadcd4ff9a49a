"""Two calls become one: attended transfers, from both sides, in both orders, of calls of every kind.

alice has two calls, the first one on hold, and sends REFER with Replaces in one of them, naming the
other. Who was in them hears each other from then on, without her.
"""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import pytest

from .firm import INTERNAL, OUT, Firm, Says, talked
from .party import Taking
from .stage import together
from .stories import (
    DIALLED,
    PAIRS,
    Kind,
    called_by_a_customer,
    calls_bob,
    clicks,
    hand_over,
    named,
    talking,
)


@pytest.mark.parametrize("sent_in", ["older", "newer"])
@pytest.mark.parametrize(("first", "second"), PAIRS, ids=named)
async def test_an_attended_transfer(first: Kind, second: Kind, sent_in: str, firm: Firm) -> None:
    older, newer = await hand_over(firm, first, second, sent_in)
    told = await firm.told(*filter(None, (older.clicked, newer.clicked)))

    goes_on = newer if newer.outside and not older.outside else older
    absorbed = older if goes_on is newer else newer
    assert sorted(told.says, key=repr) == sorted([older.says, newer.says], key=repr)
    main, other = told.which(goes_on.says), told.which(absorbed.says)
    assert told.merges == {other["call_id"]: main["call_id"]}
    for side, record in ((goes_on, main), (absorbed, other)):
        assert side.clicked in ("", record["call_id"])
    # The one that goes on bills until the end; the other one until it went into it.
    until_the_end = older.other.over_at - max(goes_on.hers.up_at, goes_on.other.up_at)
    await told.recorded(
        main,
        until_the_end,
        **goes_on.channels([440, absorbed.other.tone], [goes_on.other.tone]),
    )
    until_it_went = talked(absorbed.hers, absorbed.other)
    await told.recorded(other, until_it_went, **absorbed.channels([440], [absorbed.other.tone]))


async def test_a_click_that_was_absorbed_keeps_its_reference(firm: Firm) -> None:
    """Case 3: the id that the click was answered with is found, and so is the client's own."""
    older = await called_by_a_customer(firm)
    await older.hers.hold()
    newer = await clicks(firm)
    await older.hers.transfer(newer.hers)
    await older.other.voice.hears(newer.other.tone)
    await newer.other.hang_up()
    told = await firm.told(newer.clicked)
    assert told.shown[newer.clicked]["client_ref"] == "crm-7"
    merged = next(seen for seen in told.events if seen.name == "CALL_MERGED")
    assert merged.data["custom_channel_vars"]["client_ref"] == "crm-7"


async def test_a_consultation_that_nobody_answers_is_given_up(firm: Firm) -> None:
    """No transfer comes of it: two calls, each with its own end."""
    firm.bob.taking = Taking(after=None)
    older = await called_by_a_customer(firm)
    await older.hers.hold()
    asking = await firm.alice.dial("102").alerted()
    await asking.hang_up()
    await older.hers.resume()
    await older.other.voice.hears(440)
    await older.other.hang_up()
    told = await firm.told()
    assert told.says == [older.says, Says(INTERNAL, "CANCELLED", "alice", "bob")]
    assert told.merges == {}
    await told.recorded(told.which(older.says), talked(older.hers, older.other), [1400], [440])


async def test_a_transfer_while_the_target_still_rings(firm: Firm) -> None:
    """alice hands over before bob has answered: the consultation is absorbed as CANCELLED."""
    firm.bob.taking = Taking(after=None)
    older = await called_by_a_customer(firm)
    await older.hers.hold()
    asking = await firm.alice.dial("102").alerted()
    ringing = await firm.bob.rung()
    moving = asyncio.create_task(older.hers.transfer(asking))
    await older.hers.over()
    await ringing.pick_up()
    await together(older.other.voice.hears(620), ringing.voice.hears(1400))
    await older.other.hang_up()
    await moving
    told = await firm.told()
    assert told.says == [older.says, Says(INTERNAL, "CANCELLED", "alice", "bob")]
    main, other = told.oldest_first
    assert told.merges == {other["call_id"]: main["call_id"]}
    assert other["billing_seconds"] == 0


async def test_a_transfer_out_while_the_number_still_rings(firm: Firm) -> None:
    """alice, who talks with bob, hands him over to a number outside that rings: that call goes on."""
    firm.carrier.takings[DIALLED] = Taking(after=None, tone=2050)
    older = await calls_bob(firm)
    await talking(older.hers, older.other)
    await older.hers.hold()
    asking = await firm.alice.dial(DIALLED).alerted()
    ringing = await firm.carrier.rung(DIALLED)
    moving = asyncio.create_task(older.hers.transfer(asking))
    await together(older.hers.over(), asking.over())
    await ringing.pick_up()
    await talking(older.other, ringing)
    await asyncio.sleep(1)
    await ringing.hang_up()
    await older.other.over()
    await moving
    told = await firm.told()
    assert told.says == [older.says, Says(OUT, "SUCCESS", "alice", DIALLED)]
    absorbed, main = told.oldest_first
    assert told.merges == {absorbed["call_id"]: main["call_id"]}
    # bob has the place of alice, who called
    await told.recorded(main, ringing.over_at - ringing.up_at, [620], [2050])


@pytest.mark.parametrize("replaces", ["nobodys;to-tag=a;from-tag=b", "nobodys", ";;"])
async def test_a_refer_that_names_no_dialog_changes_nothing(replaces: str, firm: Firm) -> None:
    side = await called_by_a_customer(firm)
    await talking(side.hers, side.other)
    server = firm.stage.server.sip
    said = await side.hers.refer(f"sip:102@{server}?Replaces={quote(replaces, safe='')}")
    assert said[-1] in (400, 404)
    await talking(side.hers, side.other)
    await side.hers.hang_up()
    assert (await firm.told()).says == [side.says]


async def test_whoever_is_left_can_be_transferred_again(firm: Firm) -> None:
    """alice joins the customer with bob, bob joins her with carol: one call goes through it all."""
    older = await called_by_a_customer(firm)
    await older.other.voice.hears(440)
    await asyncio.sleep(0.6)
    await older.hers.hold()
    newer = await calls_bob(firm)
    await older.hers.transfer(newer.hers)
    await older.other.voice.hears(620)
    await newer.other.hold()
    third = await firm.bob.dial("103").up()
    with_carol = await firm.carol.taken()
    await newer.other.transfer(third)
    await together(older.other.voice.hears(830), with_carol.voice.hears(1400))
    await asyncio.sleep(0.5)
    await with_carol.hang_up()
    told = await firm.told()
    assert told.says == [
        older.says, newer.says, Says(INTERNAL, "SUCCESS", "bob", "carol"),
    ]  # fmt: skip
    main, *others = told.oldest_first
    assert told.merges == {other["call_id"]: main["call_id"] for other in others}
    seconds = older.other.over_at - older.other.up_at
    await told.recorded(main, seconds, [1400], [440, 620, 830])


async def test_calls_of_two_accounts_never_become_one(firm: Firm) -> None:
    """Whoever knows a dialog of another account can name it in Replaces, but not talk in it."""
    other = await Firm.open(firm.stage)
    other.begin()
    mine, theirs = await called_by_a_customer(firm), await called_by_a_customer(other, tone=1750)
    await together(talking(mine.hers, mine.other), talking(theirs.hers, theirs.other))
    await mine.hers.transfer(theirs.hers)
    await together(mine.other.over(), theirs.other.over())
    assert mine.other.voice.seconds_of(1750) < 1
    assert theirs.other.voice.seconds_of(1400) < 1
    await together(mine.hers.hang_up(), theirs.hers.hang_up())
    for told in (await firm.told(), await other.told()):
        assert told.says == [mine.says]
        assert told.merges == {}


async def test_a_call_that_is_transferred_to_itself_ends(firm: Firm) -> None:
    """Nobody is left in silence."""
    side = await called_by_a_customer(firm)
    await talking(side.hers, side.other)
    await side.hers.transfer(side.hers)
    await side.other.over()
    await side.hers.hang_up()
    assert (await firm.told()).says == [side.says]
