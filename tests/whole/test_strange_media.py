"""While a phone says nothing, nobody else is taken for it: a stranger neither hears a call nor speaks in it."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from .firm import Firm
from .party import BY_HAND, Call, Party
from .ports import loopback
from .sip_message import media_of, sdp
from .stage import Stage
from .voice import Voice
from .waiting import until

PAST_LEARNING = 6
"""Seconds: Asterisk learns for five, and then stays with whom it has learned."""
STRANGERS_TONE = 2500
BINDING = b"\x00\x01\x00\x00\x21\x12\xa4\x42"
"""A STUN request (RFC 5389), all but its id."""


@asynccontextmanager
async def strangers(*ports: tuple[str, int]) -> AsyncIterator[list[Voice]]:
    """One for each of these, who send packets in a row to it."""
    voices = [await Voice.open(loopback(), STRANGERS_TONE) for _ in ports]
    try:
        for voice, where in zip(voices, ports, strict=True):
            voice.talk_to(*where)
        yield voices
    finally:
        for voice in voices:
            voice.close()


def ours(call: Call) -> tuple[str, int]:
    """Where the engine hears this party."""
    message = call.invite if call.incoming else call.answer
    assert message is not None
    host, port, _ = media_of(message.body)
    return host, port


async def silent(caller: Party, callee: Party, number: str) -> tuple[Call, Call]:
    """Two who talk, and of whom neither has said a thing."""
    callee.taking = BY_HAND
    dialled = caller.dial(number)
    rung = await callee.rung()
    await until(lambda: hasattr(dialled, "voice") and hasattr(rung, "voice"), "both have sockets")
    dialled.go_silent()
    rung.go_silent()
    await rung.pick_up()
    return await dialled.up(), rung


@contextmanager
def behind_nat(*parties: Party) -> Iterator[None]:
    """They name addresses that nothing comes from."""
    for at, party in enumerate(parties, 10):
        party.named = f"192.0.2.{at}"
    try:
        yield
    finally:
        for party in parties:
            party.named = ""


async def both_hear(one: Call, other: Call) -> None:
    await one.voice.hears(other.tone)
    await other.voice.hears(one.tone)


async def test_a_stranger_hears_nothing_and_is_not_heard(firm: Firm) -> None:
    dialled, rung = await silent(firm.alice, firm.bob, "102")
    async with strangers(ours(dialled), ours(rung)) as voices:
        await asyncio.sleep(PAST_LEARNING)
        assert dialled.voice.seconds_of(STRANGERS_TONE) == 0
        assert rung.voice.seconds_of(STRANGERS_TONE) == 0
        dialled.voice.speaking = rung.voice.speaking = True
        await rung.voice.hears(dialled.tone)
        await dialled.voice.hears(rung.tone)
        assert [voice.came for voice in voices] == [[], []]
    await dialled.hang_up()


async def test_a_stranger_who_was_there_first_hears_nothing(firm: Firm) -> None:
    """It sends to where the phone is going to be heard, from before the phone has answered."""
    firm.bob.taking = BY_HAND
    dialled = firm.alice.dial("102")
    rung = await firm.bob.rung()
    await until(lambda: hasattr(rung, "voice"), "a socket")
    rung.go_silent()
    async with strangers(ours(rung)) as (voice,):
        await asyncio.sleep(0.5)
        await rung.pick_up()
        await dialled.up()
        await asyncio.sleep(2)
        assert len(voice.came) <= 1  # a packet may have been on its way
        assert dialled.voice.seconds_of(STRANGERS_TONE) < 0.1
        rung.voice.speaking = True
        await rung.voice.hears(dialled.tone)
        await dialled.voice.hears(rung.tone)
    await dialled.hang_up()


async def test_a_phone_behind_nat_is_heard(firm: Firm) -> None:
    """It names another address than that from which its SIP and its sound come."""
    with behind_nat(firm.bob):
        dialled, rung = await silent(firm.alice, firm.bob, "102")
        async with strangers(ours(rung)):
            await asyncio.sleep(1)
            dialled.voice.speaking = rung.voice.speaking = True
            await dialled.voice.hears(rung.tone)
            await rung.voice.hears(dialled.tone)
        await dialled.hang_up()


async def test_phones_behind_nat_hear_each_other_after_holds_and_transfers(firm: Firm) -> None:
    with behind_nat(firm.alice, firm.bob, firm.carol):
        dialled = await firm.alice.dial("102").up()
        rung = await firm.bob.taken()
        await both_hear(dialled, rung)
        await rung.hold()
        held = time.monotonic()
        await asyncio.sleep(PAST_LEARNING)
        assert dialled.voice.came[-1][0] > held + PAST_LEARNING - 1  # music
        await rung.resume()
        await both_hear(dialled, rung)
        asked = await firm.bob.dial("103").up()
        theirs = await firm.carol.taken()
        await rung.transfer(asked)
        await both_hear(dialled, theirs)
        await theirs.transfer("102")
        await both_hear(dialled, await firm.bob.taken())
        await dialled.hang_up()


async def test_a_phone_that_roams_amid_a_call_is_heard(firm: Firm) -> None:
    """From Wi-Fi to mobile: its SIP and its sound come from another address, its SDP names the same one."""
    bob, loop = firm.bob, asyncio.get_running_loop()
    with behind_nat(bob):
        dialled = await firm.alice.dial("102").up()
        rung = await bob.taken()
        await both_hear(dialled, rung)
        home = bob._transport, bob.address
        bob.address = loopback()
        mobile, _ = await loop.create_datagram_endpoint(
            lambda: bob, local_addr=(bob.address, bob.port)
        )
        before, rung.voice = rung.voice, await Voice.open(bob.address, rung.tone)
        try:
            await bob.register()
            await rung._reinvite()
            before.close()
            await both_hear(dialled, rung)
            await dialled.hang_up()
            await rung.over()
        finally:
            mobile.close()
            bob._transport, bob.address = home
            await bob.register()


async def test_a_phone_whose_sound_comes_from_elsewhere_is_told_of(
    firm: Firm, stage: Stage
) -> None:
    """As behind a NAT with several addresses: it is not heard, and the engine's log names it."""
    log = stage.server.data / "engine" / "log" / "messages.log"
    before = log.stat().st_size if log.exists() else 0
    with behind_nat(firm.bob):
        dialled, rung = await silent(firm.alice, firm.bob, "102")
        async with strangers(ours(rung)):
            told = f"PJSIP/{firm.bob.user}-"

            def warned() -> bool:
                lines = log.read_bytes()[before:].decode().splitlines() if log.exists() else []
                return any("from elsewhere" in line and told in line for line in lines)

            await until(warned, "a warning", 15)
        assert dialled.voice.seconds_of(STRANGERS_TONE) == 0
        await dialled.hang_up()


async def test_a_phone_that_names_another_address_amid_a_call_is_heard_there(
    firm: Firm, stage: Stage
) -> None:
    dialled, rung = await silent(firm.alice, firm.bob, "102")
    dialled.voice.speaking = rung.voice.speaking = True
    await dialled.voice.hears(rung.tone)
    elsewhere = await Voice.open(loopback(), rung.tone)
    before, rung.voice = rung.voice, elsewhere
    firm.bob.named = elsewhere._transport.get_extra_info("sockname")[0]
    try:
        await rung.hold()  # any re-INVITE
        await rung.resume()
        before.speaking = False
        await dialled.voice.hears(rung.tone)
        await elsewhere.hears(dialled.tone)
    finally:
        firm.bob.named = ""
        before.close()
    await dialled.hang_up()


async def test_no_stranger_is_answered_by_stun(firm: Firm) -> None:
    inside = await silent(firm.alice, firm.bob, "102")
    outside = await firm.carol.dial("0901234567").up()
    theirs = await firm.carrier.taken()
    came: list[bytes] = []

    class Asks(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            came.append(data)

    loop = asyncio.get_running_loop()
    asks, _ = await loop.create_datagram_endpoint(Asks, local_addr=(loopback(), 0))
    await theirs.voice.hears(outside.tone)
    await outside.voice.hears(theirs.tone)
    for host, port in map(ours, (*inside, outside, theirs)):
        for more in (0, 1):
            asks.sendto(BINDING + secrets.token_bytes(12), (host, port + more))
    await asyncio.sleep(1)
    asks.close()
    assert came == []
    await inside[0].hang_up()
    await outside.hang_up()


@contextmanager
def group() -> Iterator[tuple[str, socket.socket]]:
    """A group's address on this machine, and who is in it."""
    address = f"239.{secrets.randbelow(254)}.{secrets.randbelow(254)}.9"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as member:
        member.setblocking(False)
        member.bind((address, 0))
        for here in (
            "127.0.0.1",
            "0.0.0.0",
        ):  # the loopback, and where such packets go by themselves
            with suppress(OSError):
                joined = socket.inet_aton(address) + socket.inet_aton(here)
                member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
        yield address, member


def packets(of: socket.socket) -> int:
    count = 0
    with suppress(BlockingIOError):
        while of.recv(2000):
            count += 1
    return count


async def test_a_phone_that_names_many_has_nothing_sent_to_them(firm: Firm) -> None:
    """It gets its sound once it is heard itself."""
    with group() as (address, member):
        dialled = firm.alice.dial("102")
        await until(lambda: hasattr(dialled, "voice"), "its socket")
        offer = sdp(address, member.getsockname()[1])
        dialled._sdp = lambda *_, **__: offer  # type: ignore[method-assign]
        dialled.go_silent()
        rung = await firm.bob.taken()
        await dialled.up()
        await until(lambda: rung.voice.sent >= 50, "a second of sound")
        assert packets(member) <= 3
        dialled.voice.speaking = True
        await both_hear(dialled, rung)
        assert packets(member) == 0
