"""Puts the raw audio of a recording together by its plan, a few seconds at a time."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple

from trunkline.calls.recording_plan import Composed, Part, RecordingPlan, Side, Source, WholeFile
from trunkline.calls.times import SECOND
from trunkline.recordings.encode import FRAME_BYTES, PIECE_FRAMES, RATE

_LOUDEST = 32767
_SIDES: tuple[Side, Side] = ("left", "right")


def pieces(plan: RecordingPlan, file: Callable[[str], Path]) -> Iterator[bytes]:
    """Frames of 16 bits little-endian for the left and the right, in pieces that fit into memory.

    ``file`` gives the path of a raw name, whether the file exists or not. A planned voice that none of its
    sources has is silence, so a recording is always as long as its plan. Raises OSError, also for
    a whole file that is missing.
    """
    if isinstance(plan, WholeFile):
        return _whole(file(plan.raw))
    return _composed(plan, file)


def _whole(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while piece := source.read(PIECE_FRAMES * FRAME_BYTES):
            yield piece


class _Voice(NamedTuple):
    """A part in samples: it sounds in [start, end) on a side, out of ``audio`` from ``offset`` on."""

    start: int
    end: int
    side: Side
    audio: BinaryIO | None
    channel: int
    offset: int

    def said(self, start: int, end: int) -> array[int]:
        """Its samples in [start, end), as far as there are any."""
        if self.audio is None:
            return array("h")
        self.audio.seek((self.offset + start - self.start) * FRAME_BYTES)
        read = self.audio.read((end - start) * FRAME_BYTES)
        frames = array("h", read[: len(read) - len(read) % FRAME_BYTES])
        return frames[self.channel :: 2]


def _composed(plan: Composed, file: Callable[[str], Path]) -> Iterator[bytes]:
    with ExitStack() as opened:
        audio: dict[str, BinaryIO] = {}
        for raw in plan.files:
            path = file(raw)
            if path.exists():
                audio[raw] = opened.enter_context(path.open("rb"))
        voices = [_voice(part, audio) for part in plan.parts]
        length = _samples(plan.length)
        for start in range(0, length, PIECE_FRAMES):
            yield _piece(voices, start, min(start + PIECE_FRAMES, length))


def _voice(part: Part, audio: dict[str, BinaryIO]) -> _Voice:
    start, end = _samples(part.at), _samples(part.at + part.length)
    for source in part.sources:
        held = audio.get(source.raw)
        if held is not None and _reaches(held, source):
            channel = 0 if source.voice == "own" else 1
            return _Voice(start, end, part.side, held, channel, _samples(source.offset))
    return _Voice(start, end, part.side, None, 0, 0)


def _reaches(held: BinaryIO, source: Source) -> bool:
    """Is there anything at that place? A crashed engine's file lacks its end."""
    return held.seek(0, 2) >= (_samples(source.offset) + 1) * FRAME_BYTES


def _piece(voices: list[_Voice], start: int, end: int) -> bytes:
    frames = array("h", bytes((end - start) * FRAME_BYTES))
    for channel, side in enumerate(_SIDES):
        frames[channel::2] = _mixed([each for each in voices if each.side == side], start, end)
    return frames.tobytes()


def _mixed(voices: list[_Voice], start: int, end: int) -> array[int]:
    mixed, sounded = array("h", bytes((end - start) * 2)), 0
    for voice in sorted(voices, key=lambda each: each.start):
        first, last = max(voice.start, start), min(voice.end, end)
        if first >= last:
            continue
        said = voice.said(first, last)
        low, high = first - start, first - start + len(said)
        mixed[low:high] = said if low >= sounded else _both(mixed[low:high], said)
        sounded = max(sounded, last - start)
    return mixed


def _both(one: array[int], other: array[int]) -> array[int]:
    return array(
        "h",
        (max(-_LOUDEST, min(_LOUDEST, a + b)) for a, b in zip(one, other, strict=True)),
    )


def _samples(microseconds: int) -> int:
    return round(microseconds * RATE / SECOND)
