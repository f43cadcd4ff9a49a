"""Who is held hears music: continuous, its account's own or the default, and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cluster import Cluster

from . import tones
from .conftest import SHORT, Shared
from .firm import DID, Firm
from .keyed import KeyedParty, KeyedStage, KeyedVoice
from .party import Call
from .ports import Ports
from .server import Server

MUSIC, OTHER = 1000, 1200
"""Hz: of the account's own music, and of what it changes to."""
WITHOUT = 0.2
"""Seconds without a packet that nobody takes for a dead call; machines are busy."""
AT_ONCE = 0.3


class Waiting(Firm):
    """The firm, whose parties can hold in several ways."""

    alice: KeyedParty
    bob: KeyedParty
    carol: KeyedParty
    carrier: KeyedParty

    async def music(self, *words: str) -> Any:
        verb, *rest = words
        return await self.stage.server.cli("music", verb, *rest, "--account", self.tenant.name)

    async def own_music(self, folder: Path, name: str, tone: int, seconds: float = 3) -> Any:
        file = tones.write_wav(folder / f"{name}.wav", tone, seconds)
        return await self.music("create", name, "--file", str(file))

    def begin(self) -> None:
        super().begin()
        for party in (self.alice, self.bob, self.carol, self.carrier):
            party.anew()


async def opened(stage: KeyedStage) -> Waiting:
    firm = await Waiting.open(stage)
    assert isinstance(firm, Waiting)
    return firm


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def waiting(shared: Shared, ports: Ports, tmp_path_factory: Any) -> AsyncIterator[Waiting]:
    folder = tmp_path_factory.mktemp("waiting")
    stage = KeyedStage(await shared.on("sqlite"), ports, folder)
    firm = await opened(stage)
    await firm.own_music(folder, "ours", MUSIC)
    yield firm
    await stage.close()


@pytest_asyncio.fixture(loop_scope="session")
async def firm(waiting: Waiting) -> AsyncIterator[Waiting]:
    waiting.begin()
    yield waiting
    await waiting.end()


async def outward(firm: Firm) -> tuple[Call, Call]:
    """alice talks with somebody outside."""
    hers = await firm.alice.dial("0901234567").up()
    return await talking(hers, await firm.carrier.taken())


async def inward(firm: Firm) -> tuple[Call, Call]:
    """Somebody outside has called alice; the one who holds in these tests comes first."""
    theirs = await firm.carrier.dial(DID, caller="0901234567").up()
    return await talking(theirs, await firm.alice.taken())


async def inside(firm: Firm) -> tuple[Call, Call]:
    hers = await firm.alice.dial("102").up()
    return await talking(hers, await firm.bob.taken())


async def talking(one: Call, other: Call) -> tuple[Call, Call]:
    await asyncio.gather(one.voice.hears(other.tone), other.voice.hears(one.tone))
    return one, other


def only(call: Call, tone: float, begin: float) -> None:
    """Since then it has heard that tone and nothing else, without a pause."""
    voice = call.voice
    assert isinstance(voice, KeyedVoice)
    heard = voice.heard(begin)
    assert [span for span in heard if abs(span.tone - tone) > 12] == []
    assert heard
    assert voice.gap(begin) < WITHOUT


async def holds(holder: Call, held: Call, tone: float, seconds: float = 1) -> None:
    """One holds the other, who hears the tone; and both talk again afterwards, at once."""
    await holder.hold()
    since = time.monotonic() + AT_ONCE
    await asyncio.sleep(AT_ONCE + seconds)
    only(held, tone, since)
    before = len(holder.voice.came)
    await holder.resume()
    since = time.monotonic() + AT_ONCE
    await asyncio.sleep(AT_ONCE + 0.6)
    only(held, holder.tone, since)
    only(holder, held.tone, since)
    assert len(holder.voice.came) > before


@pytest.mark.parametrize("way", ["sendonly", "inactive", "0.0.0.0"])
@pytest.mark.parametrize("talk", [outward, inward, inside], ids=lambda talk: talk.__name__)
async def test_who_is_held_hears_the_accounts_music(talk: Any, way: str, firm: Waiting) -> None:
    for party in (firm.alice, firm.carrier):
        party.hold_by = way
    holder, held = await talk(firm)
    await holds(holder, held, MUSIC)


async def keeps_on_talking(hers: Call, theirs: Call, tone: float) -> None:
    await hers.hold()
    hers.voice.speaking = True
    since = time.monotonic() + AT_ONCE
    await asyncio.sleep(1)
    only(theirs, tone, since)
    await hers.resume()
    await talking(hers, theirs)


async def test_what_a_phone_that_holds_still_sends_is_not_heard(firm: Waiting) -> None:
    hers, theirs = await outward(firm)
    await keeps_on_talking(hers, theirs, MUSIC)


async def test_nor_in_a_call_that_is_not_recorded(
    firm: Waiting, ports: Ports, tmp_path: Path
) -> None:
    """Asterisk passes the packets of such a call on without looking into them, but for holds."""
    stage = KeyedStage(firm.stage.server, ports, tmp_path)
    try:
        plain = await Waiting.open(stage, recorded=False)
        assert isinstance(plain, Waiting)
        await plain.own_music(tmp_path, "theirs", OTHER)
        hers, theirs = await outward(plain)
        for _ in range(2):
            await keeps_on_talking(hers, theirs, OTHER)
            await holds(hers, theirs, OTHER, 0.5)
        await plain.end()
    finally:
        await stage.close()


@pytest.mark.parametrize("codecs", ["PCMU PCMU", "PCMU PCMA", "PCMA PCMU", "PCMA PCMA"])
async def test_both_hear_each_other_after_each_of_several_holds(codecs: str, firm: Waiting) -> None:
    firm.alice.codec, firm.carrier.codec = codecs.split()
    hers, theirs = await outward(firm)
    for holder, held in ((hers, theirs), (theirs, hers), (hers, theirs)):
        await holds(holder, held, MUSIC, 0.5)


async def test_both_hold_and_hear_each_other_once_both_came_back(firm: Waiting) -> None:
    hers, theirs = await outward(firm)
    await hers.hold()
    await theirs.voice.hears(MUSIC)
    await theirs.hold()
    await theirs.resume()
    await hers.resume()
    await talking(hers, theirs)
    since = time.monotonic()
    await asyncio.sleep(0.5)
    only(theirs, 440, since)
    only(hers, 1400, since)


@pytest.mark.parametrize("codecs", ["PCMU PCMU PCMU", "PCMU PCMU PCMA", "PCMU PCMA PCMU"])
async def test_who_is_transferred_out_of_hold_hears_the_new_party(
    codecs: str, firm: Waiting
) -> None:
    """Her packets' numbers are behind: Debian's Asterisk takes such for late in a path that lives on."""
    firm.alice.codec, firm.bob.codec, firm.carrier.codec = codecs.split()
    firm.alice.first, firm.bob.first = 30_000, 1000
    hers, theirs = await outward(firm)
    await hers.hold()
    await theirs.voice.hears(MUSIC)
    assert (await hers.transfer("102"))[-1] == 200
    bobs = await firm.bob.taken()
    await talking(bobs, theirs)
    since = time.monotonic()
    await holds(bobs, theirs, MUSIC, 0.5)
    assert theirs.voice.seconds_of(440, since) == 0


@pytest.mark.parametrize("codecs", ["PCMU PCMU PCMU", "PCMA PCMU PCMU"])
async def test_an_attended_transfer_ends_the_music(codecs: str, firm: Waiting) -> None:
    firm.carrier.codec, firm.alice.codec, firm.bob.codec = codecs.split()
    firm.alice.first, firm.bob.first = 30_000, 1000
    hers, theirs = await outward(firm)
    await hers.hold()
    await theirs.voice.hears(MUSIC)
    second = await firm.alice.dial("102").up()
    bobs = await firm.bob.taken()
    await second.hold()
    await bobs.voice.hears(MUSIC)
    await hers.transfer(second)
    await talking(bobs, theirs)
    since = time.monotonic()
    await asyncio.sleep(0.6)
    only(theirs, 620, since)
    only(bobs, 1400, since)


async def test_what_is_heard_changes_with_the_next_hold(firm: Waiting, tmp_path: Path) -> None:
    hers, theirs = await outward(firm)
    await holds(hers, theirs, MUSIC, 0.4)
    assert (await firm.own_music(tmp_path, "new", OTHER))["used"]
    await holds(hers, theirs, OTHER, 0.4)
    await firm.music("use", "ours")
    await holds(hers, theirs, MUSIC, 0.4)
    assert {one["name"]: one["used"] for one in await firm.music("list")} == {
        "ours": True,
        "new": False,
    }
    await firm.music("delete", "new")


async def test_deleted_music_goes_on_for_who_hears_it(firm: Waiting, tmp_path: Path) -> None:
    await firm.own_music(tmp_path, "short", OTHER, 1)
    hers, theirs = await outward(firm)
    try:
        await hers.hold()
        await theirs.voice.hears(OTHER)
    finally:
        await firm.music("delete", "short")
    since = time.monotonic()
    await asyncio.sleep(2.5)
    only(theirs, OTHER, since)
    await hers.resume()
    await hers.hold()
    since = time.monotonic() + AT_ONCE
    await asyncio.sleep(3)
    assert_music(theirs, since)
    await firm.music("use", "ours")


def assert_music(call: Call, since: float) -> None:
    """It hears something that is none of these tones, and packets without a pause."""
    voice = call.voice
    assert isinstance(voice, KeyedVoice)
    heard = {span.tone for span in voice.heard(since, 0.1) if span.tone}
    assert len(heard) > 1
    assert all(abs(tone - known) > 12 for tone in heard for known in (MUSIC, OTHER))
    assert voice.gap(since) < WITHOUT


async def test_an_account_without_music_hears_the_default_and_not_anothers(
    firm: Waiting, ports: Ports, tmp_path: Path
) -> None:
    stage = KeyedStage(firm.stage.server, ports, tmp_path)
    try:
        other = await opened(stage)
        hers, theirs = await outward(other)
        await hers.hold()
        since = time.monotonic() + AT_ONCE
        await asyncio.sleep(3)
        assert_music(theirs, since)
        await other.end()
    finally:
        await stage.close()


@pytest.mark.parametrize("own_server", ["sqlite", "postgresql"], indirect=True)
async def test_with_every_python_process_dead_music_plays(
    own_server: Server, ports: Ports, tmp_path: Path
) -> None:
    stage = KeyedStage(own_server, ports, tmp_path)
    try:
        firm = await opened(stage)
        await firm.own_music(tmp_path, "ours", MUSIC)
        hers, theirs = await outward(firm)
        await own_server.kill9()
        await holds(hers, theirs, MUSIC)
        await hers.hold()
        await theirs.voice.hears(MUSIC)
        await hers.hang_up()
        await theirs.over()
    finally:
        await stage.close()


async def test_while_the_database_is_away_the_default_is_heard(
    ports: Ports, tmp_path: Path
) -> None:
    cluster = Cluster()
    settings = SHORT | {"database": cluster.url(cluster.create())}
    server = Server(tmp_path / "data", ports.one(), ports.one(), ports.range(200), settings)
    stage = KeyedStage(server, ports, tmp_path)
    try:
        await server.start()
        firm = await opened(stage)
        await firm.own_music(tmp_path, "ours", MUSIC)
        hers, theirs = await outward(firm)
        cluster.stop()
        await hers.hold()
        since = time.monotonic() + AT_ONCE
        await asyncio.sleep(3)
        assert_music(theirs, since)
        await hers.resume()
        await talking(hers, theirs)
        cluster.start()
    finally:
        await stage.close()
        await server.stop()
        cluster.close()
