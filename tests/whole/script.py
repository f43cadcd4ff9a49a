"""What a party says, to the millisecond: a tone, marks in it that are found again, and when it is quiet."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import msgspec
import numpy as np

from .codecs import NOISE, RATE, STEP, Codec, Samples, resampled

MARK = 0.2
"""Seconds that a mark lasts."""
_FADE = 0.005
_LEVEL, _HIGH_LEVEL, _MARK_LEVEL = 0.25, 0.08, 0.15
_BAND = 400, 3200

Quiet = Literal["silence", "nothing", "noise"]
"""What is sent while nothing is said: silence, no packet, or no packet but some of comfort noise (RFC 3389)."""


class Script(msgspec.Struct, frozen=True):
    """``seconds`` of sound: ``tone`` Hz, with a mark in its place at each of ``marks``, within ``speaks``.

    ``high`` is a second, softer tone that only wideband carries. ``number`` tells the scripts of
    one voice apart: no two marks of a recording are alike.
    """

    tone: float
    seconds: float
    marks: tuple[float, ...]
    speaks: tuple[tuple[float, float], ...] = ()
    quiet: Quiet = "silence"
    high: float = 0
    number: int = 0

    @property
    def spoken(self) -> tuple[tuple[float, float], ...]:
        """From when to when something is said; all the time where nothing else is told."""
        return self.speaks or ((0.0, self.seconds),)

    def mark(self, at: float, rate: int = RATE) -> Samples:
        """The mark at that time: noise of a telephone's band, like no other."""
        return resampled(_mark(round(self.tone), self.number, round(at * 1000)), RATE, rate)

    def plain(self, guard: float = 0.06) -> list[tuple[float, float]]:
        """The stretches in which there is nothing but the tone, less ``guard`` seconds at each end."""
        found: list[tuple[float, float]] = []
        for begin, end in self.spoken:
            inside = [at for at in self.marks if begin <= at < end]
            edges = [begin, *(edge for at in inside for edge in (at, at + MARK)), end]
            pairs = zip(edges[::2], edges[1::2], strict=True)
            found += [(one + guard, two - guard) for one, two in pairs if two - one > 4 * guard]
        return found

    def speaks_at(self, at: float) -> bool:
        """Is anything said then?"""
        return any(begin - 1e-6 <= at < end - 1e-6 for begin, end in self.spoken)


class Frame(msgspec.Struct, frozen=True):
    """A packet to be: its payload, and whose type it has (0 to 127, or -1: the codec's)."""

    payload: bytes
    type: int = -1


@lru_cache(maxsize=512)
def frames(script: Script, codec: Codec) -> tuple[Frame | None, ...]:
    """What is sent in each 20 ms of a script; None is nothing."""
    made: list[Frame | None] = []
    spoke = False
    for number, payload in enumerate(codec.encoded(sound(script))):
        speaks = script.speaks_at(number * STEP)
        if speaks or script.quiet == "silence":
            made.append(Frame(payload))
        elif script.quiet == "noise" and codec.clock == 8000 and (spoke or number % 50 == 0):
            made.append(Frame(b"\x46", NOISE))  # 70 dB below full scale
        else:
            made.append(None)
        spoke = speaks
    return tuple(made)


@lru_cache(maxsize=8)
def silence(codec: Codec) -> Frame:
    """20 ms of it."""
    return Frame(codec.encoded(np.zeros(RATE))[-1])


@lru_cache(maxsize=256)
def sound(script: Script) -> Samples:
    """All of it."""
    at = np.arange(round(script.seconds * RATE)) / RATE
    whole = _LEVEL * np.sin(2 * np.pi * script.tone * at)
    if script.high:
        whole += _HIGH_LEVEL * np.sin(2 * np.pi * script.high * at)
    for when in script.marks:
        first = round(when * RATE)
        whole[first : first + round(MARK * RATE)] = script.mark(when)
    said = np.zeros(len(whole))
    for begin, end in script.spoken:
        said[round(begin * RATE) : round(end * RATE)] = 1
    return np.asarray(whole * said)


@lru_cache(maxsize=1024)
def _mark(tone: int, number: int, at: int) -> Samples:
    size = round(MARK * RATE)
    noise = np.fft.rfft(np.random.default_rng((tone, number, at)).standard_normal(size))
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    noise[(hertz < _BAND[0]) | (hertz > _BAND[1])] = 0
    made = np.fft.irfft(noise, size)
    fade = np.minimum(1, np.arange(size) / (_FADE * RATE))
    made *= fade * fade[::-1]
    return np.asarray(made * _MARK_LEVEL / np.sqrt(np.mean(made**2)))
