"""One voice of a recording, out of the file that the engine kept of it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import structlog

from trunkline.calls.times import SECOND
from trunkline.recordings.decode import Decoder, Samples, UnknownFormat, decoder
from trunkline.recordings.digits import CONTEXT, silenced
from trunkline.recordings.leg_file import LegFile
from trunkline.recordings.placing import Packets, in_steps, placed
from trunkline.recordings.stamps import Times, numbered

log = structlog.get_logger()

_LONGEST = SECOND // 5
"""The most that one packet holds (RTP for phones: 120 ms)."""
_LEAD = SECOND
"""A codec that builds on what came before knows enough after this."""
_CLOCK_WAS_SET = 2000.0
"""Microseconds between two readings of how far the wall clock is from the other."""
_CONTEXT = round(CONTEXT * SECOND)


class Voice(Protocol):
    @property
    def rates(self) -> frozenset[int]:
        """The sample rates that there are in it."""

    def said(self, start: int, end: int) -> dict[int, Samples]:
        """What it said from ``start`` to ``end`` (microseconds), whole and by sample rate. Asked for in order."""

    def close(self) -> None: ...


class LegVoice:
    """What a leg's far end sent: times are unix microseconds.

    Silent while it has the call on hold, as nobody hears it then, and while a digit sounds.
    """

    def __init__(self, file: LegFile) -> None:
        self._file = file
        voice = file.voice
        mono, wall = voice["mono"].astype(np.int64), voice["wall"].astype(np.int64)
        began = mono[:1].sum()
        self._decoders = _decoders(file)
        packets = Packets(
            stamped=voice["ts"].astype(np.float64),
            timed=voice["timed"] != 0,
            lasting=self._lasting(),
            numbers=numbered(voice["seq"]),
        )
        heard = np.rint(placed((mono - began) / 1000, packets) * 1000)
        # The two clocks are read one after the other; only a clock that was set makes a difference.
        ahead = in_steps((wall - mono).astype(np.float64), _CLOCK_WAS_SET)
        self._order = np.argsort(heard + ahead, kind="stable")[: int(np.isfinite(heard).sum())]
        self._times = (heard + ahead)[self._order].astype(np.int64) + began
        self._sounds: dict[int, tuple[int, Samples]] = {}
        self._next = 0
        self._digits, self._holds = file.digits(), file.holds()

    @property
    def rates(self) -> frozenset[int]:
        return frozenset(each.rate for each in self._decoders.values())

    def _lasting(self) -> Times:
        """How many milliseconds of sound each packet holds; 0 where nobody knows its format."""
        known = {name: 1000 / each.rate for name, each in self._decoders.items()}
        each = np.array([known.get(name, 0.0) for name in self._file.formats])
        lasting: Times = self._file.voice["samples"] * each
        return lasting

    def said(self, start: int, end: int) -> dict[int, Samples]:
        before, after = start - _CONTEXT, end + _CONTEXT
        events = [
            ((each.start - before) / SECOND, ((each.end or after) - before) / SECOND)
            for each in self._digits
            if each.start < after and (each.end is None or each.end > before)
        ]
        plain = self._plain(before, after)
        return {rate: _cut(silenced(sound, rate, events), rate) for rate, sound in plain.items()}

    def close(self) -> None:
        self._file.close()

    def _plain(self, start: int, end: int) -> dict[int, Samples]:
        sounds = {rate: np.zeros(_count(start, end, rate), np.int16) for rate in self.rates}
        first, last = np.searchsorted(self._times, [start - _LONGEST, end])
        self._decode(int(first), int(last))
        for number in range(int(first), int(last)):
            rate, sound = self._sounds[number]
            at = _count(start, int(self._times[number]), rate)
            into = sounds[rate][max(at, 0) : max(at + len(sound), 0)]
            into[:] = sound[max(-at, 0) :][: len(into)]
        for hold in self._holds:
            for rate, sound in sounds.items():
                until = end if hold.end is None else hold.end
                if hold.start < end and until > start:
                    sound[
                        _samples(max(hold.start - start, 0), rate) : _samples(until - start, rate)
                    ] = 0
        return sounds

    def _decode(self, first: int, last: int) -> None:
        """Have the sounds of these packets. Packets before them may still be asked for: as far as CONTEXT goes."""
        if first > self._next:
            ahead = int(self._times[first]) - _LEAD if first < len(self._times) else 0
            self._next = max(
                self._next, int(np.searchsorted(self._times, ahead)) if ahead else first
            )
        for number in [each for each in self._sounds if each < first]:
            del self._sounds[number]
        for number in range(self._next, last):
            packet = int(self._order[number])
            found = self._decoders.get(self._file.formats[packet])
            if found is None:
                self._sounds[number] = (next(iter(self.rates)), np.zeros(0, np.int16))
                continue
            (sound,) = found.decode([self._file.payload(packet)])
            if number >= first:
                self._sounds[number] = (found.rate, sound)
        self._next = max(self._next, last)


class MixedFile:
    """One side of what an engine of the version before wrote: 16 bits of two sides, 8,000 times a second.

    Times are microseconds from the file's beginning.
    """

    rates = frozenset({8000})

    def __init__(self, file: BinaryIO, side: int) -> None:
        self._file, self._side = file, side

    def said(self, start: int, end: int) -> dict[int, Samples]:
        count = _count(start, end, 8000)
        self._file.seek(_samples(start, 8000) * 4)
        read = self._file.read(count * 4)
        frames = np.frombuffer(read[: len(read) // 4 * 4], "<i2").reshape(-1, 2)
        sound = np.zeros(count, np.int16)
        sound[: len(frames)] = frames[:, self._side]
        return {8000: sound}

    def close(self) -> None:
        self._file.close()


def open_leg(path: Path, clock: int | None = None) -> LegVoice | None:
    """None for a file without a whole packet, or of another kind. Raises OSError."""
    try:
        return LegVoice(LegFile(path, clock))
    except ValueError as error:
        log.warning("recorders_file_unread", file=path.name, error=str(error))
        return None


def _decoders(file: LegFile) -> dict[str, Decoder]:
    found: dict[str, Decoder] = {}
    for name in dict.fromkeys(file.formats):
        try:
            found[name] = decoder(name)
        except UnknownFormat:
            log.warning("format_not_decoded", format=name)
    return found


def _cut(sound: Samples, rate: int) -> Samples:
    context = _samples(_CONTEXT, rate)
    return sound[context : len(sound) - context]


def _count(start: int, end: int, rate: int) -> int:
    """Samples between two times. They lie on one grid for all time, so what is asked for in pieces has no seams."""
    return _samples(end, rate) - _samples(start, rate)


def _samples(microseconds: int, rate: int) -> int:
    return microseconds * rate // SECOND
