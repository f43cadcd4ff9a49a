"""Calls whose sound is exactly known, of any two codecs, in what befalls calls; and what is said in them.

A ``Cell`` is one call to be: who calls whom, what each end speaks, and what happens. ``play`` makes it on a
firm of its own; many go on side by side. ``NotTaken`` says that a codec was refused.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import msgspec

from .codecs import G722, OPUS, PCMA, PCMU, STEP, Codec
from .exact_voice import Network, Said
from .firm import DID, Firm
from .measured import BUSY, Measured, Side, Uttered, decoded, measured
from .party import Call, Party
from .script import Script, frames
from .stage import Stage, together
from .waiting import NeverHappened, until

TALK, QUIET, HELD = 5.0, 10.0, 4.0
"""Seconds of each part of a call: in which both talk, nobody does, one is held."""
HERS, OTHER, NEW = (437.0, 5230.0), (653.0, 5570.0), (871.0, 5870.0)
"""Tones of the one who calls, or transfers; of whom that one talks with; of who comes later. The second of each only in wideband."""
_EDGE = 0.3
_ON_TOP = 0.25


class Disturbed(AssertionError):
    """It went wrong on a machine that was late."""


class NotTaken(Exception):
    """A codec that the cell needs was not agreed on."""


class Talk(NamedTuple):
    """A call that is up: her end, the other one, and her side of the recording."""

    hers: Call
    other: Call
    side: Side

    @property
    def far_side(self) -> Side:
        return "right" if self.side == "left" else "left"


# ---- What is said ---------------------------------------------------------------------------------


def talking(tone: tuple[float, float], number: int, seconds: float = TALK) -> Script:
    """A tone all the time, with a mark near its beginning, in its middle and near its end."""
    marks = _EDGE, seconds / 2, seconds - _EDGE - _ON_TOP
    return Script(tone[0], seconds, marks, high=tone[1], number=number)


def in_turns(tone: tuple[float, float], first: bool, noise: bool) -> Script:
    """15 s in which two take turns, with pauses of both between; what is not speech is not sent."""
    speaks = (
        ((0.0, 3.0), (7.0, 9.0), (12.0, 13.5)) if first else ((3.5, 6.0), (9.5, 11.0), (13.2, 15.0))
    )
    marks = tuple(at for begin, end in speaks for at in (begin + _EDGE, end - _EDGE - _ON_TOP))
    quiet = "noise" if noise else "nothing"
    return Script(tone[0], 15, marks, speaks, quiet, tone[1])  # type: ignore[arg-type]


def with_a_pause(tone: tuple[float, float]) -> Script:
    """Talk, then nothing at all is sent, then talk."""
    one, two = (0.0, TALK), (TALK + QUIET, 2 * TALK + QUIET)
    marks = tuple(at for begin, end in (one, two) for at in (begin + _EDGE, end - _EDGE - _ON_TOP))
    return Script(tone[0], two[1], marks, (one, two), "nothing", tone[1])


UNHEARD = talking(OTHER, 5, 2)
"""Said by who is on hold."""


# ---- What befalls a call --------------------------------------------------------------------------

Played = Coroutine[Any, Any, list[Uttered]]


async def both_say(talk: Talk, hers: Script, other: Script) -> list[Uttered]:
    """From the same moment on, to the end."""
    at = time.time() + 0.05
    said = talk.hers.voice.say(hers, at), talk.other.voice.say(other, at)
    await spoken(*said)
    return [
        Uttered(talk.side, said[0], talk.other.voice),
        Uttered(talk.far_side, said[1], talk.hers.voice),
    ]


async def spoken(*said: Said) -> None:
    """Wait until these have been said."""
    end = max(one.begin + one.script.seconds for one in said)
    await asyncio.sleep(max(0.0, end - time.time()))


async def tone(talk: Talk, firm: Firm) -> list[Uttered]:
    return await _for_long(talk)


async def common_silence(talk: Talk, firm: Firm) -> list[Uttered]:
    return await both_say(talk, with_a_pause(HERS), with_a_pause(OTHER))


async def dtx(talk: Talk, firm: Firm) -> list[Uttered]:
    return await both_say(talk, in_turns(HERS, True, False), in_turns(OTHER, False, False))


async def comfort_noise(talk: Talk, firm: Firm) -> list[Uttered]:
    return await both_say(talk, in_turns(HERS, True, True), in_turns(OTHER, False, True))


async def hold(talk: Talk, firm: Firm) -> list[Uttered]:
    """She holds him by sendonly; he sends nothing meanwhile, and neither does she."""
    said = await both_say(talk, talking(HERS, 0), talking(OTHER, 0))
    talk.other.voice.speaking = False
    await talk.hers.hold()
    await asyncio.sleep(HELD)
    await talk.hers.resume()
    talk.other.voice.speaking = True
    return said + await both_say(talk, talking(HERS, 1), talking(OTHER, 1))


async def another_codec(talk: Talk, firm: Firm) -> list[Uttered]:
    """In the midst of what both say, she offers other codecs than she spoke."""
    now = talk.hers.voice.codec
    wanted = (PCMU,) if now.wide else tuple(one for one in (G722, PCMA, PCMU) if one != now)
    going = asyncio.create_task(_for_long(talk))
    await asyncio.sleep(1.3 * TALK)
    await talk.hers.change(*wanted)
    said = await going
    if talk.hers.voice.codec == now:
        raise NotTaken(f"still {now.name} after the re-INVITE")
    return said


async def blind_transfer(talk: Talk, firm: Firm) -> list[Uttered]:
    """She leaves him to carol."""
    said = await both_say(talk, talking(HERS, 0), talking(OTHER, 0))
    moved = await talk.hers.transfer("103")
    assert moved[-1] == 200, moved
    new = Talk(await firm.carol.taken(), talk.other, talk.side)
    await asyncio.sleep(0.3)
    return said + await both_say(new, talking(NEW, 1), talking(OTHER, 1))


async def attended_transfer(talk: Talk, firm: Firm) -> list[Uttered]:
    """She holds him, asks carol, and leaves him to her."""
    said = await both_say(talk, talking(HERS, 0), talking(OTHER, 0))
    talk.other.voice.speaking = False
    await talk.hers.hold()
    asking = await firm.alice.dial("103").up()
    asked = Talk(asking, await firm.carol.taken(), "left")
    await both_say(asked, talking(HERS, 8, 2), talking(NEW, 8, 2))
    await talk.hers.transfer(asking)
    talk.other.voice.speaking = True
    new = Talk(asked.other, talk.other, talk.side)
    await asyncio.sleep(0.3)
    return said + await both_say(new, talking(NEW, 1), talking(OTHER, 1))


# What others have reported of their recordings.


async def one_side_only(talk: Talk, firm: Firm) -> list[Uttered]:
    """He never sends a packet: on mute, with silence suppression."""
    talk.other.voice.speaking = False
    said = talk.hers.voice.say(talking(HERS, 0, 2 * TALK))
    await spoken(said)
    return [Uttered(talk.side, said, talk.other.voice)]


async def stamps_that_stand_still(talk: Talk, firm: Firm) -> list[Uttered]:
    """She sends nothing for a while, and her time stamps go on as if that had not been."""
    pause = 3.0
    one, two = (0.0, TALK), (TALK + pause, 2 * TALK + pause)
    marks = tuple(at for begin, end in (one, two) for at in (begin + _EDGE, end - _EDGE - _ON_TOP))
    hers = Script(HERS[0], two[1], marks, (one, two), "nothing", HERS[1])
    talk.hers.voice.stamps_go_on = False
    return await both_say(talk, hers, talking(OTHER, 0, two[1]))


async def a_new_source(talk: Talk, firm: Firm) -> list[Uttered]:
    """Amid the talk, either phone begins its RTP anew."""
    going = asyncio.create_task(_for_long(talk))
    await asyncio.sleep(TALK)
    talk.hers.voice.new_source()
    await asyncio.sleep(TALK)
    talk.other.voice.new_source()
    return await going


async def packets_of_40_ms(talk: Talk, firm: Firm) -> list[Uttered]:
    """He sends packets of 40 ms, she does until she changes to 20 amid the talk."""
    talk.hers.voice.together = talk.other.voice.together = 2
    going = asyncio.create_task(_for_long(talk))
    await asyncio.sleep(1.2 * TALK)
    talk.hers.voice.together = 1
    return await going


async def a_stalled_network(talk: Talk, firm: Firm) -> list[Uttered]:
    """For 0.8 s nothing of hers comes, then all of it at once; later, the same with him."""
    going = asyncio.create_task(_for_long(talk))
    await asyncio.sleep(0.8 * TALK)
    talk.hers.voice.stall(0.8)
    await asyncio.sleep(1.2 * TALK)
    talk.other.voice.stall(0.8)
    return await going


async def stamps_of_another_clock(talk: Talk, firm: Firm) -> list[Uttered]:
    """Hers are counted by twice the clock (G.722 by 16 kHz), his by half of it."""
    talk.hers.voice.stamps_by, talk.other.voice.stamps_by = 2, 0.5
    return await _for_long(talk)


async def no_stamps(talk: Talk, firm: Firm) -> list[Uttered]:
    """Hers are always the same."""
    talk.hers.voice.stamps_by = 0
    return await _for_long(talk)


async def talking_on_hold(talk: Talk, firm: Firm) -> list[Uttered]:
    """She holds him, twice over, and he goes on talking to himself, which nobody hears (``UNHEARD``)."""
    said = await both_say(talk, talking(HERS, 0), talking(OTHER, 0))
    await talk.hers.hold()
    await talk.hers.hold()
    await asyncio.sleep(0.2)
    await spoken(talk.other.voice.say(UNHEARD))
    await asyncio.sleep(0.2)
    await talk.hers.resume()
    return said + await both_say(talk, talking(HERS, 1), talking(OTHER, 1))


async def _for_long(talk: Talk) -> list[Uttered]:
    return await both_say(talk, talking(HERS, 0, 3 * TALK), talking(OTHER, 0, 3 * TALK))


REPORTED: dict[str, Callable[[Talk, Firm], Played]] = {
    "one side only": one_side_only,
    "stamps stand still": stamps_that_stand_still,
    "a new source": a_new_source,
    "packets of 40 ms": packets_of_40_ms,
    "0.8 s stall": a_stalled_network,
    "another clock": stamps_of_another_clock,
    "no stamps": no_stamps,
    "talking on hold": talking_on_hold,
    "5 % twice": tone,
}
SITUATIONS: dict[str, Callable[[Talk, Firm], Played]] = {
    "tone": tone,
    "common silence": common_silence,
    "DTX": dtx,
    "DTX, comfort noise": comfort_noise,
    "hold": hold,
    "5 % loss": tone,
    "60 ms jitter": tone,
    "re-INVITE": another_codec,
    "blind transfer": blind_transfer,
    "attended transfer": attended_transfer,
    **REPORTED,
}
NETWORKS = {
    "5 % loss": Network(loss=0.05, seed=5),
    "60 ms jitter": Network(jitter=0.06, seed=60),
    "5 % twice": Network(twice=0.05, seed=2),
}


# ---- Who calls whom -------------------------------------------------------------------------------

NUMBER = "0901234501"


async def inside(firm: Firm) -> Talk:
    return Talk(await _up(firm, firm.alice.dial("102")), await firm.bob.taken(), "left")


async def out(firm: Firm) -> Talk:
    hers = await _up(firm, firm.alice.dial(NUMBER))
    return Talk(hers, await firm.carrier.taken(), "left")


async def into(firm: Firm) -> Talk:
    other = await _up(firm, firm.carrier.dial(DID, caller="0901234503"))
    return Talk(await firm.alice.taken(), other, "right")


async def click(firm: Firm) -> Talk:
    """Her phone is offered what we allow, and its answer prefers what is first for it."""
    await firm.click(NUMBER)
    hers, other = await firm.alice.taken(timeout=8), await firm.carrier.taken(timeout=8)
    return Talk(hers, other, "left")


async def _up(firm: Firm, call: Call) -> Call:
    try:
        return await call.up()
    except NeverHappened:
        if call.code == 488 or any(one.code == 488 for one in refused(firm)):
            raise NotTaken(f"{call.code}") from None
        raise


def refused(firm: Firm) -> list[Call]:
    """Calls that came and that a party refused."""
    return [
        one for party in firm.parties for one in party.calls if one.incoming and one.code >= 400
    ]


WAYS: dict[str, tuple[Callable[[Firm], Coroutine[Any, Any, Talk]], str, str]] = {
    "device-device": (inside, "alice", "bob"),
    "device-trunk": (out, "alice", "carrier"),
    "trunk-device": (into, "carrier", "alice"),
    "click": (click, "alice", "carrier"),
}
"""How the call comes about, who is on the left, and who on the right."""


class Cell(msgspec.Struct, frozen=True):
    """One call to be: a key of ``WAYS``, what the left and the right speak, a key of ``SITUATIONS``."""

    way: str
    left: Codec
    right: Codec
    situation: str

    @property
    def name(self) -> str:
        return f"{self.way}, {self.left.name}-{self.right.name}, {self.situation}"


class Recorded(NamedTuple):
    """A call that is over: what was said in it, its recording, and what /v1 says of it."""

    cell: Cell
    uttered: list[Uttered]
    file: bytes
    call: dict[str, Any]
    late: float

    def measured(self) -> Measured:
        """Takes half a second of CPU."""
        return measured(decoded(self.file), self.call, self.uttered, self.late)


async def play(cell: Cell, firm: Firm) -> Recorded:
    """Make the call; raises NotTaken, or what else went wrong."""
    open_call, left, right = WAYS[cell.way]
    firm.begin()
    network = NETWORKS.get(cell.situation, Network())
    for number, party in enumerate(firm.parties):
        party.network = msgspec.structs.replace(network, seed=network.seed * 10 + number)
        party.codecs = (cell.left,)
    _speaks(getattr(firm, right), cell.right)
    phone = getattr(firm, left)
    phone.codecs = (cell.left, PCMU) if cell.way == "click" and cell.left != PCMU else (cell.left,)
    firm.carol.codecs = (firm.alice.codecs[0],)
    try:
        talk = await open_call(firm)
        if talk.hers.voice.codec != firm.alice.codecs[0]:
            raise NotTaken(f"she speaks {talk.hers.voice.codec.name}")
        uttered = await SITUATIONS[cell.situation](talk, firm)
        await talk.other.hang_up()
        call_id = firm.announced()[0]
        file, call = await _kept(firm, call_id)
    finally:
        await _end(firm)
    voices = [one.voice for party in firm.parties for one in party.calls if hasattr(one, "voice")]
    return Recorded(cell, uttered, file, call, max(voice.late for voice in voices))


def _speaks(party: Party, codec: Codec) -> None:
    party.codecs = (codec,)


async def _kept(firm: Firm, call_id: str) -> tuple[bytes, dict[str, Any]]:
    """The recording as it is downloaded, and the call."""

    async def ready() -> dict[str, Any] | None:
        call = await firm.v1(call_id)
        file = call["recording_file"]
        return call if not call["live"] and file and file["status"] != "pending" else None

    call = await until(ready, f"the recording of {call_id}", 30, every=0.2)
    answer = await firm.tenant.api.http.get(call["recording_file"]["url"])
    assert answer.status_code == 200, answer.text
    return answer.content, call


async def _end(firm: Firm) -> None:
    for party in firm.parties:
        await asyncio.gather(*(call.hang_up() for call in party.live), return_exceptions=True)
        party.odd.clear()


async def opened(stage: Stage, many: int) -> list[Firm]:
    """So many firms; two commands at a time, since each writes to the one database."""
    turns = asyncio.Semaphore(2)

    async def one() -> Firm:
        async with turns:
            return await Firm.open(stage)

    return await together(*(one() for _ in range(many)))


async def play_all(cells: Sequence[Cell], firms: Sequence[Firm]) -> list[Recorded | Exception]:
    """As many at once as there are firms, and what came of each; the next ones begin when all of these are over."""
    await asyncio.to_thread(prepare, cells)
    played: list[Recorded | Exception] = []

    async def one(cell: Cell, firm: Firm, after: float) -> Recorded | Exception:
        await asyncio.sleep(after)
        try:
            return await play(cell, firm)
        except (NotTaken, AssertionError) as why:
            return why

    for first in range(0, len(cells), len(firms)):
        pairs = list(zip(cells[first:], firms, strict=False))
        with undisturbed() as machine:
            these = await asyncio.gather(*(one(*pair, n / 5) for n, pair in enumerate(pairs)))
        played += [_with_lateness(each, machine.late) for each in these]
    return played


def _with_lateness(played: Recorded | Exception, late: float) -> Recorded | Exception:
    if isinstance(played, Recorded):
        return played._replace(late=max(played.late, late))
    if isinstance(played, NotTaken) or late <= BUSY:
        return played
    return Disturbed(f"{late * 1000:.0f} ms late: {played}")


class Machine:
    """How late this machine wakes somebody who only waits, at the priority of everybody: what it does to the server, too."""

    def __init__(self) -> None:
        self.late = 0.0
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch, name="machine", daemon=True)

    def _watch(self) -> None:
        due = time.monotonic()
        while not self._over.wait(max(0.0, due + STEP - time.monotonic())):
            due += STEP
            self.late = max(self.late, time.monotonic() - due)

    def __enter__(self) -> Machine:
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watching.join()


@contextmanager
def undisturbed() -> Generator[Machine, None, None]:
    """Whoever sends is not late: before all others where this is allowed, and without Python's collection of garbage."""
    gc.disable()  # without a collection first: in a long run it would keep phones silent for seconds
    before = os.getpriority(os.PRIO_PROCESS, 0)  # Linux: of this thread alone
    with Machine() as machine:
        try:
            with suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, 0, before - 10)
            yield machine
        finally:
            with suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, 0, before)
            gc.enable()


def prepare(cells: Sequence[Cell]) -> None:
    """Encode all that will be said, which would make whoever talks meanwhile late. Blocks."""
    speaks = {codec for cell in cells for codec in (cell.left, cell.right)} | {PCMU, PCMA, G722}
    scripts = [
        script
        for tones in (HERS, OTHER, NEW)
        for script in (
            *(talking(tones, number) for number in (0, 1)),
            *(talking(tones, number, 2) for number in (5, 8)),
            *(talking(tones, 0, seconds) for seconds in (2 * TALK, 2 * TALK + 3, 3 * TALK)),
            *(in_turns(tones, first, noise) for first in (True, False) for noise in (True, False)),
            with_a_pause(tones),
        )
    ]
    for codec in speaks:
        for script in scripts:
            frames(script, codec)


PAIRS = (
    (PCMU, PCMU),
    (PCMU, PCMA),
    (PCMU, G722),
    (G722, PCMU),
    (G722, G722),
    (OPUS, PCMU),
    (OPUS, OPUS),
    (G722, OPUS),
)
