"""Two calls become one: attended transfers, from both sides, in both orders, of calls of every kind.

alice has two calls, the first one on hold, and sends REFER with Replaces in one of them, naming the
other. Who was in them hears each other from then on, without her.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from .firm import DID, INBOUND, INTERNAL, OUT, Firm, Says, talked
from .party import Call, Taking
from .stage import together

CUSTOMER, OTHER = "0907000001", "0907000002"
DIALLED, CLICKED = "0901000001", "0901000002"


class Side(msgspec.Struct, frozen=True):
    """One call of alice's: her end, the other's, what its record says, and where she stands in it."""

    hers: Call
    other: Call
    says: Says
    clicked: str = ""

    @property
    def outside(self) -> bool:
        return self.says.kind[0] == "trunking"

    @property
    def caller(self) -> bool:
        return self.says.caller == "alice"

    def channels(self, hers: list[int], other: list[int]) -> dict[str, list[int]]:
        """The caller is on the left."""
        return {"left": hers, "right": other} if self.caller else {"left": other, "right": hers}


Kind = Callable[[Firm], Awaitable[Side]]


async def called_by_a_customer(firm: Firm, number: str = CUSTOMER, tone: int = 1400) -> Side:
    other = firm.carrier.dial(DID, caller=number, tone=tone)
    hers = await firm.alice.taken()
    return Side(hers, await other.up(), Says(INBOUND, "SUCCESS", number, "alice", DID))


async def called_by_another(firm: Firm) -> Side:
    return await called_by_a_customer(firm, OTHER, 1750)


async def dials_out(firm: Firm) -> Side:
    firm.carrier.takings[DIALLED] = Taking(tone=2050)
    hers = await firm.alice.dial(DIALLED).up()
    says = Says(OUT, "SUCCESS", "alice", DIALLED)
    return Side(hers, await firm.carrier.taken(DIALLED), says)


async def clicks(firm: Firm) -> Side:
    firm.carrier.takings[CLICKED] = Taking(tone=2350)
    call_id = await firm.click(CLICKED, client_ref="crm-7")
    hers = await firm.alice.taken()
    says = Says(OUT, "SUCCESS", "alice", CLICKED)
    return Side(hers, await firm.carrier.taken(CLICKED), says, call_id)


async def calls_bob(firm: Firm) -> Side:
    hers = await firm.alice.dial("102").up()
    return Side(hers, await firm.bob.taken(), Says(INTERNAL, "SUCCESS", "alice", "bob"))


async def calls_carol(firm: Firm) -> Side:
    hers = await firm.alice.dial("103").up()
    return Side(hers, await firm.carol.taken(), Says(INTERNAL, "SUCCESS", "alice", "carol"))


async def called_by_bob(firm: Firm) -> Side:
    other = firm.bob.dial("101")
    hers = await firm.alice.taken()
    return Side(hers, await other.up(), Says(INTERNAL, "SUCCESS", "bob", "alice"))


async def clicks_bob(firm: Firm) -> Side:
    call_id = await firm.click("102")
    hers = await firm.alice.taken()
    says = Says(INTERNAL, "SUCCESS", "alice", "bob")
    return Side(hers, await firm.bob.taken(), says, call_id)


PAIRS: list[tuple[Kind, Kind]] = [
    (called_by_a_customer, calls_bob),  # case 2
    (calls_bob, called_by_a_customer),  # case 1
    (called_by_a_customer, clicks),  # case 3
    (called_by_a_customer, clicks_bob),
    (dials_out, calls_bob),
    (calls_bob, dials_out),
    (clicks, calls_bob),
    (called_by_bob, clicks),
    (calls_bob, calls_carol),
    (called_by_bob, calls_carol),
    (called_by_a_customer, called_by_another),
    (called_by_a_customer, dials_out),
    (dials_out, called_by_a_customer),
]


def named(value: object) -> str:
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize("sent_in", ["older", "newer"])
@pytest.mark.parametrize(("first", "second"), PAIRS, ids=named)
async def test_an_attended_transfer(first: Kind, second: Kind, sent_in: str, firm: Firm) -> None:
    older = await first(firm)
    await together(older.hers.voice.hears(older.other.tone), older.other.voice.hears(440))
    await older.hers.hold()
    newer = await second(firm)
    await together(newer.hers.voice.hears(newer.other.tone), newer.other.voice.hears(440))
    await asyncio.sleep(0.5)
    via, to = (older, newer) if sent_in == "older" else (newer, older)
    assert (await via.hers.transfer(to.hers))[-1] == 200
    await together(older.hers.over(), newer.hers.over())
    await together(
        older.other.voice.hears(newer.other.tone), newer.other.voice.hears(older.other.tone)
    )
    await asyncio.sleep(0.8)
    await older.other.hang_up()
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


async def test_whoever_is_left_can_be_transferred_again(firm: Firm) -> None:
    """alice joins the customer with bob, bob joins her with carol: one call goes through it all."""
    older = await called_by_a_customer(firm)
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
