"""What a call's recording is made of: whose voice, out of which raw file, at what time, on which side.

A recorder sits on a leg, not on a call: a call goes on when a leg leaves it, and a leg may go on in
another call (``docs/decisions/0016``). Its file has what the leg's far end sent, and when. An engine of the version
before has other files, without times, and not for every leg: what a leg said, and what it was told. So each part names the places
where its voice may be found: first the leg's own file, then, where only one other leg was there, what that
one was told. The first file that exists is taken.

The caller is on the left, the callee on the right. Whoever takes over from somebody takes that side; a
third party joins the right one. Time in which nobody was joined is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import msgspec

Side = Literal["left", "right"]
Voice = Literal["own", "told"]


class Stretch(NamedTuple):
    """A time, from one microsecond to another."""

    start: int
    end: int


class Joined(NamedTuple):
    """A time in which a leg was with somebody in a bridge."""

    start: int
    end: int
    bridge: str


class RecordedLeg(msgspec.Struct, frozen=True, kw_only=True):
    """A leg as the plan needs it; ``raw`` is its recorder's file, if it had a recorder.

    ``bridged`` is all the time in which it was in a bridge, from its start on, in any call;
    ``joined`` the time in which it was with somebody in the call that is planned. ``ended`` says that
    it ended in this call: no other call will ever need its file.
    """

    raw: str
    bridged: tuple[Stretch, ...]
    joined: tuple[Joined, ...]
    ended: bool = True


class Source(msgspec.Struct, frozen=True, array_like=True):
    """A voice in a raw file, from unix microsecond ``time`` on.

    ``offset`` is how many microseconds of sound such a file holds before that where it has no times of its
    own: an engine of the version before writes one like that.
    """

    raw: str
    voice: Voice
    offset: int
    time: int = 0


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One voice of the recording: from ``at``, for ``length`` microseconds, out of one of ``sources``."""

    at: int
    length: int
    side: Side
    sources: tuple[Source, ...]


class Composed(msgspec.Struct, frozen=True, tag="composed"):
    """``length`` microseconds, mixed of ``parts``.

    ``files`` are those that any of the call's legs may have, and ``spent`` those of them that no other
    recording will need. ``clock`` is the call's own (``even_times``), which times count by.
    """

    length: int
    parts: tuple[Part, ...]
    files: tuple[str, ...]
    spent: tuple[str, ...]
    clock: int | None = None


class WholeFile(msgspec.Struct, frozen=True, tag="file"):
    """One raw file as it is: its left side is the recording's left side."""

    raw: str

    @property
    def files(self) -> tuple[str, ...]:
        return (self.raw,)

    @property
    def spent(self) -> tuple[str, ...]:
        return self.files


RecordingPlan = Composed | WholeFile


def raw_name(leg_id: str) -> str:
    """The base name of the file that a leg's recorder writes; the dialplan makes it of the leg's unique id."""
    return leg_id.replace(".", "-")


def plan(legs: Sequence[RecordedLeg], clock: int | None = None) -> Composed:
    """The plan of a call that is over. Of ``legs`` that meet and have no side yet, the first sits left."""
    seats: dict[str, Side] = {}
    parts: list[Part] = []
    at = 0
    for now in _moments(legs):
        rooms = _rooms(legs, now)
        for room in rooms:
            _seat(room, seats)
            parts += (_part(leg, room, now, at, seats[leg.raw]) for leg in room)
        at += (now.end - now.start) if rooms else 0
    return Composed(
        length=at,
        parts=_run_together(parts),
        # Also for legs that were never in a bridge: whoever took one over before that has its recorder.
        files=tuple(leg.raw for leg in legs),
        spent=tuple(leg.raw for leg in legs if leg.ended),
        clock=clock,
    )


def measure(stretches: Iterable[tuple[int, int]]) -> int:
    """How long these last together; time that several cover counts once."""
    total, reached = 0, 0
    for start, end in sorted(stretches):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _moments(legs: Sequence[RecordedLeg]) -> list[Stretch]:
    """The times between two changes of who is with whom."""
    changes = {time for leg in legs for each in leg.joined for time in (each.start, each.end)}
    return [Stretch(*pair) for pair in pairwise(sorted(changes))]


def _rooms(legs: Sequence[RecordedLeg], now: Stretch) -> list[list[RecordedLeg]]:
    """The legs that are together at that time, one list for each bridge."""
    rooms: dict[str, list[RecordedLeg]] = {}
    for leg in legs:
        for each in leg.joined:
            if each.start <= now.start and now.end <= each.end:
                rooms.setdefault(each.bridge, []).append(leg)
                break
    return list(rooms.values())


def _seat(room: Sequence[RecordedLeg], seats: dict[str, Side]) -> None:
    """Give a side to each leg that has none. Two who are alone together never share one."""
    for leg in room:
        if leg.raw not in seats:
            taken = {seats[other.raw] for other in room if other.raw in seats}
            seats[leg.raw] = "right" if "left" in taken else "left"
    if len(room) == 2 and seats[room[0].raw] == seats[room[1].raw]:
        later = max(room, key=lambda leg: list(seats).index(leg.raw)).raw
        seats[later] = "left" if seats[later] == "right" else "right"


def _part(leg: RecordedLeg, room: Sequence[RecordedLeg], now: Stretch, at: int, side: Side) -> Part:
    sources = [Source(leg.raw, "own", _offset(leg, now.start), now.start)]
    others = [other for other in room if other is not leg]
    if len(others) == 1:
        sources.append(Source(others[0].raw, "told", _offset(others[0], now.start), now.start))
    return Part(at, now.end - now.start, side, tuple(sources))


def _offset(leg: RecordedLeg, time: int) -> int:
    """How much the leg's file holds at that time."""
    return measure((each.start, min(each.end, time)) for each in leg.bridged if each.start < time)


def _run_together(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The parts by time; a part that only continues the one before is made one with it."""
    whole: list[Part] = []
    going: dict[str, int] = {}
    for part in parts:
        voice = part.sources[0].raw
        last = going.get(voice)
        if last is not None and _goes_on(whole[last], part):
            before = whole[last]
            whole[last] = msgspec.structs.replace(before, length=before.length + part.length)
        else:
            going[voice] = len(whole)
            whole.append(part)
    return tuple(whole)


def _goes_on(before: Part, part: Part) -> bool:
    expected = tuple(
        Source(each.raw, each.voice, each.offset + before.length, each.time + before.length)
        for each in before.sources
    )
    return (part.at, part.side, part.sources) == (
        before.at + before.length,
        before.side,
        expected,
    )
