"""Finds the tones of keys (DTMF, ITU-T Q.23) in sound, so that a recording does not tell them.

Card numbers are typed in calls. A phone that sends a key as a telephone-event may send its tone as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trunkline.recordings.decode import Samples

LOW = (697.0, 770.0, 852.0, 941.0)
HIGH = (1209.0, 1336.0, 1477.0, 1633.0)
CONTEXT = 0.2
"""Seconds of sound on each side that are needed to judge a moment."""

_WINDOW, _HOP = 0.02, 0.005
"""Seconds. A digit lasts 40 ms at least (Q.24)."""
_SURE, _EXPECTED = 0.80, 0.35
"""How much of the power is of one low and one high tone: by itself, and while a telephone-event is under way."""
_WEAKER = 0.08
"""The least of the power that the weaker of the two has: 10 dB below the other."""
_IN_A_ROW = 4
"""So many windows with the same two tones make a digit: 35 ms."""
_QUIETEST = 60.0
"""The least amplitude: -55 dBFS."""
_EDGE = 0.012
"""Seconds before and after that are silenced, too: a window needs some of the tone to see it."""
_EVENT_EDGE = 0.12
"""Seconds around a telephone-event in which its tone may stand."""


class _Tones(NamedTuple):
    """For each window: which pair is the loudest, and how much of the power is of it."""

    pair: npt.NDArray[np.int64]
    share: npt.NDArray[np.float32]
    weaker: npt.NDArray[np.float32]
    loud: npt.NDArray[np.bool_]


def silenced(sound: Samples, rate: int, events: Iterable[tuple[float, float]] = ()) -> Samples:
    """The sound without the tones of keys. ``events`` are telephone-events, in seconds from its start."""
    window, hop = round(_WINDOW * rate), round(_HOP * rate)
    if len(sound) < window or not sound.any():
        return sound
    tones = _tones(sound, rate, window, hop)
    starts = np.arange(len(tones.pair)) * hop / rate
    expected = np.zeros(len(starts), bool)
    for begin, end in events:
        expected |= (starts >= begin - _EVENT_EDGE) & (starts + _WINDOW <= end + _EVENT_EDGE)
    needed = np.where(expected, _EXPECTED, _SURE)
    heard = (tones.share >= needed) & (tones.weaker >= _WEAKER * tones.share) & tones.loud
    quiet = sound
    for first, last in _digits(tones.pair, heard):
        if quiet is sound:
            quiet = sound.copy()
        edge = round(_EDGE * rate)
        quiet[max(0, first * hop - edge) : last * hop + window + edge] = 0
    return quiet


def _tones(sound: Samples, rate: int, window: int, hop: int) -> _Tones:
    windows = np.lib.stride_tricks.sliding_window_view(sound, window)[::hop].astype(np.float32)
    power = np.einsum("ij,ij->i", windows, windows) / window
    turns = 2 * np.pi * np.outer(np.arange(window) / rate, [*LOW, *HIGH])
    waves = np.concatenate([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)
    # The power of a tone of amplitude a is a²/2, and its sum over the window is a * window / 2.
    sums = (windows @ waves / window) ** 2
    parts = 2 * (sums[:, :8] + sums[:, 8:])
    low, high = parts[:, :4], parts[:, 4:]
    loudest_low, loudest_high = low.max(axis=1), high.max(axis=1)
    total = np.maximum(power, 1.0)
    return _Tones(
        pair=low.argmax(axis=1) * 4 + high.argmax(axis=1),
        share=(loudest_low + loudest_high) / total,
        weaker=np.minimum(loudest_low, loudest_high) / total,
        loud=power > _QUIETEST**2 / 2,
    )


def _digits(pair: npt.NDArray[np.int64], heard: npt.NDArray[np.bool_]) -> Iterable[tuple[int, int]]:
    """The first and the last window of each digit."""
    marked = np.where(heard, pair, -1)
    edges = [0, *(np.flatnonzero(np.diff(marked)) + 1).tolist(), len(marked)]
    for begin, end in pairwise(edges):
        if marked[begin] >= 0 and end - begin >= _IN_A_ROW:
            yield begin, end - 1
