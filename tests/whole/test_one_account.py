"""Who knows the ids of another account's call neither takes it over nor puts anybody through to it."""

from __future__ import annotations

import pytest_asyncio

from .firm import Firm
from .party import BY_HAND
from .stage import Stage, together
from .waiting import until


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def firms(module_stage: Stage) -> tuple[Firm, Firm]:
    ours, theirs = await together(*(Firm.open(module_stage, recorded=False) for _ in range(2)))
    return ours, theirs


async def ended(*firms: Firm) -> None:
    for firm in firms:
        await until(lambda firm=firm: not any(one.live for one in firm.parties), "the end")  # type: ignore[misc]
        await firm.end()


def named(firm: Firm, others: Firm) -> list[str]:
    """The devices of others that this firm was told of."""
    said = " ".join(str(seen.data) for seen in firm.events)
    return [each.sip_user for each in others.devices.values() if each.sip_user in said]


async def test_nobody_takes_over_another_accounts_call(firms: tuple[Firm, Firm]) -> None:
    ours, theirs = firms
    for firm in firms:
        firm.begin()
    call = await theirs.alice.dial("102").up()
    await theirs.bob.taken()
    thief = ours.alice.dial("102", replaces=call)
    await thief.over()
    assert not thief.up_at or thief.over_at - thief.up_at < 1
    await ended(*firms)
    assert (named(ours, theirs), named(theirs, ours)) == ([], [])


async def test_nobody_picks_up_another_accounts_call(firms: tuple[Firm, Firm]) -> None:
    ours, theirs = firms
    for firm in firms:
        firm.begin()
    theirs.bob.taking = BY_HAND
    call = theirs.alice.dial("102")
    ringing = await theirs.bob.rung()
    thief = ours.alice.dial("102", replaces=ringing)
    await thief.over()
    await call.over()
    assert not thief.up_at or thief.over_at - thief.up_at < 1
    await ended(*firms)


async def test_nobody_is_put_through_to_another_accounts_call(firms: tuple[Firm, Firm]) -> None:
    ours, theirs = firms
    for firm in firms:
        firm.begin()
    call, own = await together(theirs.alice.dial("102").up(), ours.alice.dial("102").up())
    (taken, others) = await together(theirs.bob.taken(), ours.bob.taken())
    await own.transfer(call)
    await together(taken.over(), others.over())
    assert max(taken.over_at, others.over_at) - own.moved_at < 3
    await ended(*firms)
    assert (named(ours, theirs), named(theirs, ours)) == ([], [])
