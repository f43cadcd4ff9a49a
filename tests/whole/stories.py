"""Stories that tests and recorded scenes share: calls of every kind, handed over and sent on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from .firm import DID, INBOUND, INTERNAL, OUT, Firm, Says
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
    """For the ids of tests."""
    return getattr(value, "__name__", str(value))


async def talking(one: Call, other: Call) -> None:
    """The two hear each other."""
    await together(one.voice.hears(other.tone), other.voice.hears(one.tone))


async def hand_over(firm: Firm, first: Kind, second: Kind, sent_in: str) -> tuple[Side, Side]:
    """alice has two calls and joins those who are in them; gives the older and the newer one.

    ``sent_in`` is in which of the two she sends the REFER. Then they talk, and one of them ends it.
    """
    older = await first(firm)
    await talking(older.hers, older.other)
    await older.hers.hold()
    newer = await second(firm)
    await talking(newer.hers, newer.other)
    await asyncio.sleep(0.5)
    via, to = (older, newer) if sent_in == "older" else (newer, older)
    said = await via.hers.transfer(to.hers)
    assert said[-1] == 200, said
    await together(older.hers.over(), newer.hers.over())
    await talking(older.other, newer.other)
    await asyncio.sleep(0.8)
    await older.other.hang_up()
    return older, newer


async def send_on(firm: Firm, kind: Kind, number: str = "103") -> tuple[Side, Call]:
    """alice sends whom she talks with to a number (carol's), and is gone; they talk."""
    side = await kind(firm)
    await talking(side.hers, side.other)
    said = await side.hers.transfer(number)
    assert said[-1] == 200, said
    new = await (firm.carol.taken() if number == "103" else firm.carrier.taken(number))
    await talking(side.other, new)
    await asyncio.sleep(1)
    return side, new
