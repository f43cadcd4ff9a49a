"""Puts a recording together by its plan, a few seconds at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt

from trunkline.calls.recording_plan import Composed, Part, RecordingPlan, Side, Source, WholeFile
from trunkline.calls.times import SECOND
from trunkline.recordings.decode import Samples
from trunkline.recordings.spool import is_leg_file
from trunkline.recordings.voices import MixedFile, Voice, open_leg

PIECE = 8 * SECOND
"""Microseconds of sound that are put together at once."""
NARROW, WIDE = 8000, 16000
"""Samples a second: of a recording of telephone sound, and of one in which a leg was wideband."""

_SIDES: tuple[Side, Side] = ("left", "right")

Stereo = npt.NDArray[np.int16]
"""Samples, one row each: of the left and of the right."""


class Sound:
    """A recording's sound: ``rate`` samples a second, and ``pieces`` of it, once."""

    def __init__(self, rate: int, pieces: Iterator[Stereo]) -> None:
        self.rate = rate
        self.pieces = pieces


def compose(plan: RecordingPlan, file: Callable[[str], Path], opened: ExitStack) -> Sound:
    """The sound of a plan.

    ``file`` gives the path of a raw name, whether the file exists or not; what is opened is closed by ``opened``.
    A planned voice that none of its sources has is silence, so a recording is always as long as its plan. Raises
    OSError, also for a whole file that is missing.
    """
    if isinstance(plan, WholeFile):
        return Sound(NARROW, _whole(file(plan.raw)))
    voices = _voices(plan, file, opened)
    rates = {rate for each in voices if each.voice for rate in each.voice.rates}
    rate = WIDE if any(each > NARROW for each in rates) else NARROW
    return Sound(rate, _mixed(voices, _samples(plan.length, rate), plan.length, rate))


def _whole(path: Path) -> Iterator[Stereo]:
    with path.open("rb") as source:
        while piece := source.read(PIECE * NARROW // SECOND * 4):
            yield np.frombuffer(piece[: len(piece) // 4 * 4], "<i2").reshape(-1, 2)


class _Planned(NamedTuple):
    """A part, and the voice for it: at ``since`` in the voice's own time the part begins."""

    part: Part
    voice: Voice | None
    since: int


def _voices(plan: Composed, file: Callable[[str], Path], opened: ExitStack) -> list[_Planned]:
    legs: dict[str, Voice | None] = {}
    for raw in plan.files:
        path = file(raw)
        if is_leg_file(path) and path.exists():
            legs[raw] = voice = open_leg(path, plan.clock)
            if voice:
                opened.callback(voice.close)
    return [_planned(part, legs, file, opened) for part in plan.parts]


def _planned(
    part: Part, legs: dict[str, Voice | None], file: Callable[[str], Path], opened: ExitStack
) -> _Planned:
    for source in part.sources:
        if source.raw in legs:
            # Only its own voice is in a leg's file.
            if source.voice == "own":
                return _Planned(part, legs[source.raw], source.time)
        elif (voice := _mixed_file(file(source.raw), source)) is not None:
            opened.callback(voice.close)
            return _Planned(part, voice, source.offset)
    return _Planned(part, None, 0)


def _mixed_file(path: Path, source: Source) -> MixedFile | None:
    """None where nothing is at that place: a crashed engine's file lacks its end."""
    if not path.exists() or path.stat().st_size < (_samples(source.offset, NARROW) + 1) * 4:
        return None
    return MixedFile(path.open("rb"), 0 if source.voice == "own" else 1)


class _Bus:
    """All that is said on one side at one rate, on its way to the recording's rate."""

    def __init__(self, rate: int, out: int) -> None:
        self.rate = rate
        self._resampler = None
        if rate != out:
            self._resampler = av.AudioResampler(format="s16", layout="mono", rate=out)
        self._ready = np.zeros(0, np.int16)

    def put(self, sound: npt.NDArray[np.int32]) -> None:
        samples = np.clip(sound, -32768, 32767).astype(np.int16)
        if self._resampler is not None:
            frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
            frame.sample_rate = self.rate
            samples = _joined(self._resampler.resample(frame))
        self._ready = np.concatenate([self._ready, samples])

    def end(self) -> None:
        if self._resampler is not None:
            self._ready = np.concatenate([self._ready, _joined(self._resampler.resample(None))])

    @property
    def ready(self) -> int:
        return len(self._ready)

    def take(self, count: int) -> Samples:
        """``count`` samples; silence for what is not there."""
        taken, self._ready = self._ready[:count], self._ready[count:]
        return np.concatenate([taken, np.zeros(count - len(taken), np.int16)])


def _joined(frames: list[av.AudioFrame]) -> Samples:
    return np.concatenate([np.zeros(0, np.int16), *(frame.to_ndarray()[0] for frame in frames)])


def _mixed(voices: list[_Planned], whole: int, length: int, out: int) -> Iterator[Stereo]:
    """``whole`` samples in all, of ``length`` microseconds."""
    buses = {side: _buses(voices, side, out) for side in _SIDES}
    given = 0
    for start in range(0, length, PIECE):
        end = min(start + PIECE, length)
        for side, of_side in buses.items():
            _say([each for each in voices if each.part.side == side], of_side, start, end)
        every = [bus for of_side in buses.values() for bus in of_side.values()]
        if end == length:
            for bus in every:
                bus.end()
        count = whole - given if end == length else min(bus.ready for bus in every)
        yield np.stack([_together(buses[side], count) for side in _SIDES], axis=1)
        given += count


def _buses(voices: list[_Planned], side: Side, out: int) -> dict[int, _Bus]:
    rates = {
        rate
        for each in voices
        if each.part.side == side and each.voice
        for rate in each.voice.rates
    }
    return {rate: _Bus(rate, out) for rate in rates or {out}}


def _say(voices: list[_Planned], buses: dict[int, _Bus], start: int, end: int) -> None:
    sums = {rate: np.zeros(_samples(end - start, rate), np.int32) for rate in buses}
    for part, voice, since in voices:
        first, last = max(part.at, start), min(part.at + part.length, end)
        if voice is None or first >= last:
            continue
        for rate, sound in voice.said(since + first - part.at, since + last - part.at).items():
            # What goes on in the next piece ends where that begins.
            goes_on = last == end < part.at + part.length
            at = len(sums[rate]) - len(sound) if goes_on else _samples(first - start, rate)
            into = sums[rate][max(at, 0) :][: len(sound)]
            into += sound[len(sound) - len(into) :] if goes_on else sound[: len(into)]
    for rate, bus in buses.items():
        bus.put(sums[rate])


def _together(buses: dict[int, _Bus], count: int) -> Samples:
    taken = [bus.take(count).astype(np.int32) for bus in buses.values()]
    sum_: Samples = np.clip(np.sum(taken, axis=0), -32768, 32767).astype(np.int16)
    return sum_


def _samples(microseconds: int, rate: int) -> int:
    return round(microseconds * rate / SECOND)
