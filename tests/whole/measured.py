"""How true a recording is: its length, where what was said stands in it, and how well it is heard there.

All of it from outside: what was sent and received (``ExactVoice``), the call as ``/v1`` shows it, the file as it is downloaded.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Literal, NamedTuple

import av
import msgspec
import numpy as np

from .codecs import RATE, STEP, Samples, resampled
from .exact_voice import Packet, Said
from .script import MARK

LENGTH, ALIGNMENT, WORSE = 0.1, 0.04, 1.0
"""The aims: seconds of length, seconds of alignment, decibels below what the parties heard."""
BUSY = 0.03
"""Seconds by which the machine may be late; beyond, what misses an aim by no more than twice as much may be its doing."""
FOUND = 0.3
"""The least correlation of a mark that counts as found; noise and tones come to 0.15."""
LEAP = 1.5
"""Seconds: no network holds a packet back for so long."""
CHANGING = 0.15
"""Seconds before and after a change of codecs."""
_WINDOW = 0.4
_NARROW = 3400

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")


class Uttered(NamedTuple):
    """What was said, on which side of the recording it belongs, and who heard it live."""

    side: Side
    said: Said
    heard_by: Any


class File(NamedTuple):
    """A recording: each channel's samples, and how many of them a second has."""

    channels: list[Samples]
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.channels[0]) / self.rate


def decoded(file: bytes) -> File:
    """Any audio file, as a player plays it: what its header says is the encoder's delay is left out."""
    with av.open(io.BytesIO(file)) as opened:
        stream = opened.streams.audio[0]
        pieces = list(opened.decode(stream))
        count, rate = stream.codec_context.layout.nb_channels, stream.codec_context.sample_rate
    arrays = [_floats(frame.to_ndarray(), frame.format.is_planar, count) for frame in pieces]
    whole = np.concatenate(arrays, axis=1) if arrays else np.zeros((count, 0))
    return File([*whole], rate)


def _floats(array: Any, planar: bool, count: int) -> Any:
    shaped = array if planar else array.reshape(-1, count).T
    return shaped / 32768 if shaped.dtype == np.int16 else shaped.astype(np.float64)


def heard(packets: Sequence[Packet]) -> tuple[Samples, float]:
    """What came, each packet where its time stamp puts it and silence for what did not; and when that begins.

    A new source, another clock, or a stamp that is ``LEAP`` off its arrival begins anew, where it arrived.
    """
    if not packets:
        return np.zeros(0), 0.0
    tracks: dict[int, list[tuple[float, Samples]]] = defaultdict(list)
    placed = _placed(packets)
    begin = min(at for at, _ in placed)
    for codec, run in groupby(placed, key=lambda one: one[1].codec):
        there = list(run)
        pieces = codec.decoded(packet.payload for _, packet in there)
        tracks[codec.heard_at] += [
            (at - begin, piece) for (at, _), piece in zip(there, pieces, strict=True)
        ]
    end = max(at + 0.2 for track in tracks.values() for at, _ in track)
    whole = np.zeros(round((end + 0.2) * RATE))
    for rate, track in tracks.items():
        sound = np.zeros(len(whole) * rate // RATE)
        for at, piece in track:
            first = round(at * rate)
            sound[first : first + len(piece)] = piece[: len(sound) - first]
        again = resampled(sound, rate, RATE)
        whole[: len(again)] += again[: len(whole)]
    return whole, begin


def _placed(packets: Sequence[Packet]) -> list[tuple[float, Packet]]:
    """Packets in the order of what they hold, each with the time (unix seconds) at which it would have come without delay."""
    placed: list[tuple[float, Packet]] = []
    for run in _runs(packets):
        ordered = sorted(run, key=lambda one: one[1])
        first = ordered[0][1]
        anchor = min(packet.at - (at - first) for packet, at in ordered[:25])
        placed += [(anchor + at - first, packet) for packet, at in ordered]
    return placed


def _runs(packets: Sequence[Packet]) -> list[list[tuple[Packet, float]]]:
    """Packets of one source and codec, each with its place in seconds by its stamp."""
    runs: list[list[tuple[Packet, float]]] = []
    for packet in packets:
        last = runs[-1][-1] if runs else None
        if last and (last[0].source, last[0].codec) == (packet.source, packet.codec):
            step = (packet.stamp - last[0].stamp + (1 << 31)) % (1 << 32) - (1 << 31)
            place = last[1] + step / packet.codec.clock
            if abs(place - last[1] - (packet.at - last[0].at)) < LEAP:
                runs[-1].append((packet, place))
                continue
        runs.append([(packet, 0.0)])
    return runs


class Found(NamedTuple):
    """Where a mark is, in seconds from the beginning; and how like it that is (1: the same)."""

    at: float
    likeness: float


def find(mark: Samples, sound: Samples, rate: int) -> Found:
    """The place in a sound that is most like a mark."""
    if len(sound) <= len(mark):
        return Found(0, 0)
    size = 1 << (len(sound) + len(mark)).bit_length()
    both = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(mark, size)), size)
    both = both[: len(sound) - len(mark) + 1]
    power = np.concatenate([[0.0], np.cumsum(sound**2)])
    power = power[len(mark) :] - power[: -len(mark)]
    least = np.mean(mark**2) * len(mark) * 1e-4
    like = both / np.sqrt(np.maximum(power, least) * np.sum(mark**2))
    best = int(np.argmax(like))
    return Found(best / rate, float(like[best]))


class Power(NamedTuple):
    """Of what was said, of everything else, and of what only wideband carries."""

    said: float = 0
    rest: float = 0
    high: float = 0

    @property
    def decibels(self) -> float:
        """The ratio of the first two."""
        return float(10 * np.log10(max(self.said, 1e-12) / max(self.rest, 1e-12)))

    def __add__(self, other: object) -> Power:
        assert isinstance(other, Power)
        return Power(*(one + two for one, two in zip(self, other, strict=True)))


def tone_power(sound: Samples, rate: int, uttered: Uttered, at: Sequence[Found]) -> Power:
    """How much of a script's plain stretches in a sound is the tone, each beside the mark before it."""
    script, found = uttered.said.script, Power()
    hertz = [one for one in (script.tone, script.high) if one and one < rate / 2]
    places = list(zip(script.marks, at, strict=True))
    for begin, end in _undisturbed(uttered):
        near = [one for one in places if one[1].likeness >= FOUND]
        if not near:
            continue
        mark, where = min(near, key=lambda one: abs(one[0] - begin))
        first = where.at - mark
        start = begin
        while start + _WINDOW <= end:
            low = round((first + start) * rate)
            part = sound[max(0, low) : max(0, low + round(_WINDOW * rate))]
            part = np.pad(part, (0, max(0, round(_WINDOW * rate) - len(part))))
            found += _fitted(part, rate, hertz)
            start += _WINDOW
    return found


def _undisturbed(uttered: Uttered) -> list[tuple[float, float]]:
    """The plain stretches, less the moments in which either end changed its codec: two codecs' delays differ, so the tone
    leaps in any recording, and in any ear."""
    changes = [*uttered.said.voice.changes, *uttered.heard_by.changes]
    kept = uttered.said.script.plain()
    for change in (at - uttered.said.begin for at in changes):
        around = change - CHANGING, change + CHANGING
        kept = [
            piece
            for begin, end in kept
            for piece in ((begin, min(end, around[0])), (max(begin, around[1]), end))
            if piece[0] < piece[1]
        ]
    return kept


def _fitted(part: Samples, rate: int, hertz: Sequence[float]) -> Power:
    at = 2 * np.pi * np.arange(len(part)) / rate
    waves = [wave for one in hertz for wave in (np.sin(one * at), np.cos(one * at))]
    base = np.stack([*waves, np.ones(len(part))], axis=1)
    factors, *_ = np.linalg.lstsq(base, part, rcond=None)
    rest = part - base @ factors
    each = [float(np.sum(factors[n : n + 2] ** 2)) / 2 for n in range(0, 2 * len(hertz), 2)]
    high = each[1] if len(each) > 1 else 0.0
    return Power(sum(each), float(np.mean(rest**2)), high)


class Talk(NamedTuple):
    """The times in which anybody of a call was joined with somebody (unix seconds), by its events in /v1."""

    spans: list[tuple[float, float]]

    @property
    def seconds(self) -> float:
        return sum(end - begin for begin, end in self.spans)

    def place(self, at: float) -> float:
        """Where in the recording a moment should stand."""
        return sum(max(0.0, min(end, at) - begin) for begin, end in self.spans if begin < at)


def talk_of(call: dict[str, Any]) -> Talk:
    """Of ``GET /v1/calls/{id}``, with its events."""
    spans: list[tuple[float, float]] = []
    since: float | None = None
    for event in call["events"]:
        state = event["data"].get("state") or {}
        if "legs" not in state:
            continue
        now = datetime.fromisoformat(event["time"]).timestamp()
        joined = any(leg["joined_legs"] for leg in state["legs"] if not leg["ended_at"])
        if joined and since is None:
            since = now
        if not joined and since is not None:
            spans.append((since, now))
            since = None
    return Talk(spans)


class SideMeasured(msgspec.Struct, frozen=True, kw_only=True):
    """One side: the errors of its marks (seconds; None: not found there), and how it is heard.

    ``shifts`` are from when a mark came on the average of its packets, to compare one side with the other.
    """

    errors: list[float | None]
    shifts: list[float]
    times: list[float]
    recorded: float
    heard: float
    wide_said: bool
    wide_recorded: bool

    @property
    def lost(self) -> int:
        """Marks that are not there."""
        return self.errors.count(None)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A recording beside its talk."""

    talk: float
    length: float
    rate: int
    sides: dict[Side, SideMeasured]
    late: float
    note: str = ""

    @property
    def worst(self) -> float | None:
        """The greatest error of a mark, with its sign; None where one is not found."""
        errors = [error for side in self.sides.values() for error in side.errors]
        if not errors or None in errors:
            return None
        return max((error for error in errors if error is not None), key=abs)

    @property
    def apart(self) -> float | None:
        """By how much left and right are shifted against each other, at worst: marks that are neighbours in time.

        None where all of a side are lost, 0 where a side said nothing.
        """
        if not all(side.errors for side in self.sides.values()):
            return 0.0
        left, right = (
            [
                (at, shift)
                for at, shift, error in zip(one.times, one.shifts, one.errors, strict=True)
                if error is not None
            ]
            for one in (self.sides["left"], self.sides["right"])
        )
        if not left or not right:
            return None
        shifts = [shift - min(right, key=lambda other: abs(other[0] - at))[1] for at, shift in left]
        return max(shifts, key=abs)

    @property
    def worse(self) -> float:
        """By how many dB the recording of a side is worse than what the other party heard of it, at worst."""
        return max(side.heard - side.recorded for side in self.sides.values())

    @property
    def misses(self) -> list[str]:
        """Which aims it misses: ``length``, ``place``, ``sides``, ``SNR``, ``width``."""
        return self._misses()

    @property
    def excused(self) -> bool:
        """Was the machine so busy that what is missed says nothing of who is measured?"""
        return self.late > BUSY and not self._misses(2 * self.late, 3)

    def _misses(self, seconds: float = 0, decibels: float = 0) -> list[str]:
        """Those that are missed by more than that."""
        near = ALIGNMENT + seconds
        aims = {
            "length": abs(self.length - self.talk) <= LENGTH + seconds,
            "place": self.worst is not None and abs(self.worst) <= near,
            "sides": self.apart is not None and abs(self.apart) <= near,
            "SNR": self.worse <= WORSE + decibels,
            "width": all(one.wide_recorded or not one.wide_said for one in self.sides.values()),
        }
        return [name for name, met in aims.items() if not met]


def measured(
    file: File, call: dict[str, Any], uttered: Sequence[Uttered], late: float, note: str = ""
) -> Measured:
    """All of it."""
    talk, sounds = talk_of(call), _Heard()
    sides: dict[Side, SideMeasured] = {}
    for side, channel in zip(SIDES, file.channels, strict=True):
        mine = [one for one in uttered if one.side == side]
        sides[side] = _side(mine, channel, file.rate, talk, sounds)
    return Measured(
        talk=talk.seconds,
        length=file.seconds,
        rate=file.rate,
        sides=sides,
        late=late,
        note=note,
    )


class _Heard:
    """What each voice heard, decoded once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Samples, float]] = {}

    def by(self, voice: Any) -> Samples:
        if id(voice) not in self._known:
            self._known[id(voice)] = heard(voice.came)
        return self._known[id(voice)][0]


def _side(
    uttered: Iterable[Uttered], channel: Samples, rate: int, talk: Talk, sounds: _Heard
) -> SideMeasured:
    errors: list[float | None] = []
    shifts: list[float] = []
    times: list[float] = []
    recorded = listened = wide = Power()
    for one in uttered:
        script, live = one.said.script, sounds.by(one.heard_by)
        places = [find(script.mark(mark, rate), channel, rate) for mark in script.marks]
        for mark, place in zip(script.marks, places, strict=True):
            due, came = map(talk.place, one.said.went(mark, MARK))
            times.append(due)
            # Anywhere between when it was said and when it came is its time.
            error = place.at - min(max(place.at, due), came)
            errors.append(error if place.likeness >= FOUND else None)
            shifts.append(place.at - came)
        there = [find(script.mark(mark), live, RATE) for mark in script.marks]
        both = min(rate, one.heard_by.codec.said_at)
        recorded += tone_power(resampled(channel, rate, both), both, one, places)
        if one.said.wide:
            wide += tone_power(channel, rate, one, places)
        listened += tone_power(resampled(live, RATE, both), both, one, there)
    return SideMeasured(
        errors=errors,
        shifts=shifts,
        times=times,
        recorded=recorded.decibels,
        heard=listened.decibels,
        wide_said=any(one.said.wide for one in uttered),
        wide_recorded=wide.high > 0.01 * wide.said,
    )


def delays(said: Said, came: Sequence[Packet]) -> list[float]:
    """Of every packet of a script that came: seconds from its sending, where nothing was put into other packets on its way."""
    whole, begin = heard(came)
    script = said.script
    places = [(mark, find(script.mark(mark), whole, RATE)) for mark in script.marks]
    mark, place = max(places, key=lambda one: one[1].likeness)
    if place.likeness < FOUND:
        return []
    sent = {round((one.due - said.begin) / STEP): one.at for one in said.voice.sent}
    found: list[float] = []
    for position, packet in _placed(came):
        inside = position - begin - place.at + mark
        at = sent.get(round(inside / STEP))
        if at is not None and -STEP < inside < script.seconds:
            found.append(packet.at - at)
    return found
