"""Scenes for ``recorder.py`` of calls that are joined, moved or forwarded: scripted parties play them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from whole.firm import BOBS_DID, DID, FORBIDDEN, Firm
from whole.lossy import LossyWay, Reports
from whole.party import BY_HAND, Call, Taking
from whole.stories import (
    CUSTOMER,
    DIALLED,
    PAIRS,
    Kind,
    called_by_a_customer,
    called_by_bob,
    calls_bob,
    clicks,
    clicks_bob,
    dials_out,
    hand_over,
    send_on,
)

Scene = Callable[[], Awaitable[object]]
SHORT = {
    "called_by_a_customer": "inbound",
    "called_by_another": "inbound",
    "dials_out": "outbound",
    "clicks": "click",
    "calls_bob": "internal",
    "calls_carol": "internal",
    "called_by_bob": "callee",
    "clicks_bob": "clicked_inside",
}
"""What a kind of call is called in the name of a scene."""


def scenes(firm: Firm) -> dict[str, Scene]:
    """Each plays one call, or those that are joined, to its end."""
    found: dict[str, Scene] = {}
    for first, second in PAIRS:
        for sent_in in ("older", "newer"):
            name = f"joined {_short(first)} {_short(second)} by {sent_in}"
            found[name] = lambda a=first, b=second, c=sent_in: hand_over(firm, a, b, c)
    for kind in (called_by_a_customer, dials_out, clicks, calls_bob, called_by_bob, clicks_bob):
        found[f"sent on {_short(kind)}"] = lambda a=kind: _sent_on(firm, a)
    return found | {
        "bad line": lambda: _bad_line(firm),
        "sent on inbound to outside": lambda: _sent_outside(firm),
        "sent on by the callee": lambda: _by_the_callee(firm),
        "sent on to a busy one": lambda: _sent_to_a_busy_one(firm),
        "picked up from outside": lambda: _picked_up(firm, inbound=True),
        "picked up from inside": lambda: _picked_up(firm, inbound=False),
        "forwarded inside": lambda: _forwarded(firm, "103"),
        "forwarded outside": lambda: _forwarded(firm, "0901234599"),
        "forwarded inbound outside": lambda: _forwarded(firm, "0901234599", inbound=True),
        "forwarded against the policy": lambda: _forwarded(firm, FORBIDDEN + "1"),
        "trunk redirects": lambda: _trunk_redirects(firm),
        "early media only": lambda: _early(firm, Taking(alert=183, after=1.5)),
        "early media only refused": lambda: _early(firm, Taking(alert=183, after=1.5, code=486)),
        "inbound without a number": lambda: _without_a_number(firm),
        "joined again": lambda: _joined_again(firm),
    }


def _short(kind: Kind) -> str:
    return SHORT[getattr(kind, "__name__")]  # noqa: B009 - a Callable has no __name__ of its own


async def _end(call: Call) -> None:
    await asyncio.sleep(1)
    await call.hang_up()


async def _sent_on(firm: Firm, kind: Kind) -> None:
    _, new = await send_on(firm, kind)
    await _end(new)


async def _sent_outside(firm: Firm) -> None:
    side, _ = await send_on(firm, called_by_a_customer, "0905000001")
    await _end(side.other)


async def _by_the_callee(firm: Firm) -> None:
    talk = await firm.alice.dial("102").up()
    await (await firm.bob.taken()).transfer("103")
    await firm.carol.taken()
    await _end(talk)


async def _sent_to_a_busy_one(firm: Firm) -> None:
    firm.carol.taking = Taking(code=486)
    side = await called_by_a_customer(firm)
    await asyncio.sleep(0.5)
    await side.hers.transfer("103")
    await side.other.over()


async def _picked_up(firm: Firm, inbound: bool) -> None:
    firm.bob.taking = BY_HAND
    caller = firm.carrier.dial(BOBS_DID, caller=CUSTOMER) if inbound else firm.alice.dial("102")
    await firm.carol.dial("102", replaces=await firm.bob.rung()).up()
    await _end(await caller.up())


async def _forwarded(firm: Firm, to: str, inbound: bool = False) -> None:
    server = firm.stage.server.sip
    firm.bob.taking = Taking(code=302, to=f"sip:{to}@{server}")
    caller = firm.carrier.dial(BOBS_DID, caller=CUSTOMER) if inbound else firm.alice.dial("102")
    if to.startswith(FORBIDDEN):
        await caller.over()
    else:
        await _end(await caller.up())


async def _trunk_redirects(firm: Firm) -> None:
    server = firm.stage.server.sip
    firm.carrier.takings[DIALLED] = Taking(code=302, to=f"sip:0905000003@{server}")
    await firm.alice.dial(DIALLED).over()


async def _bad_line(firm: Firm) -> None:
    """One packet in ten is lost from the phone; the carrier reports the same of what it hears."""
    hers = await firm.alice.dial(DIALLED).up()
    theirs = await firm.carrier.taken()
    LossyWay(hers, 10)
    await Reports.of(theirs, loss=0.1, jitter=0.02)
    await asyncio.sleep(7)
    await theirs.hang_up()


async def _early(firm: Firm, taking: Taking) -> None:
    firm.carrier.takings[DIALLED] = taking
    talk = firm.alice.dial(DIALLED)
    if taking.code == 200:
        await _end(await talk.up())
    await talk.over()


async def _without_a_number(firm: Firm) -> None:
    await _end(await firm.carrier.dial(DID, caller="").up())


async def _joined_again(firm: Firm) -> None:
    """alice joins the customer with bob, and he joins her with carol."""
    older = await called_by_a_customer(firm)
    await older.hers.hold()
    newer = await calls_bob(firm)
    await older.hers.transfer(newer.hers)
    await newer.other.hold()
    third = await firm.bob.dial("103").up()
    await newer.other.transfer(third)
    await _end(await firm.carol.taken())
