"""The waveform of a recording, for a player that draws it before it has the sound.

The form is audiowaveform's JSON (version 2), which wavesurfer.js and peaks.js read: for each pixel the least and
the greatest sample of the left, then of the right, as 8 bits.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from trunkline.recordings.compose import Sound, Stereo

PIXELS_A_SECOND = 20
MOST_PIXELS = 36_000
"""Half an hour; a longer recording has fewer pixels a second."""


class Peaks:
    """Notes the peaks of sound that passes through ``of``."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._step = rate // PIXELS_A_SECOND
        self._rest = np.zeros((0, 2), np.int16)
        self._pixels: list[npt.NDArray[np.int16]] = []
        self._samples = 0

    def of(self, sound: Sound) -> Sound:
        """The same sound; the peaks are whole once it is at its end."""
        return Sound(sound.rate, map(self._note, sound.pieces))

    def _note(self, piece: Stereo) -> Stereo:
        self._samples += len(piece)
        waiting = np.concatenate([self._rest, piece])
        whole = len(waiting) // self._step * self._step
        self._rest = waiting[whole:]
        if whole:
            self._pixels.append(_extremes(waiting[:whole], self._step))
        return piece

    def write(self, file: Path) -> None:
        """Raises OSError."""
        pixels = [*self._pixels]
        if len(self._rest):
            pixels.append(_extremes(self._rest, len(self._rest)))
        every = np.concatenate(pixels) if pixels else np.zeros((0, 2, 2), np.int16)
        fold = -(-len(every) // MOST_PIXELS) or 1
        every = _folded(every, fold)
        shown = {
            "version": 2,
            "channels": 2,
            "sample_rate": self._rate,
            "samples_per_pixel": self._step * fold,
            "bits": 8,
            "length": len(every),
            "data": (every >> 8).reshape(-1).tolist(),
        }
        file.write_bytes(msgspec.json.encode(shown))


def _extremes(sound: Stereo, step: int) -> npt.NDArray[np.int16]:
    """One row a pixel: for the left and the right, the least and the greatest."""
    pixels = sound.reshape(-1, step, 2)
    return np.stack([pixels.min(axis=1), pixels.max(axis=1)], axis=2)


def _folded(pixels: npt.NDArray[np.int16], fold: int) -> npt.NDArray[np.int16]:
    if fold == 1:
        return pixels
    short = -len(pixels) % fold
    padded = np.concatenate([pixels, np.repeat(pixels[-1:], short, axis=0)]).reshape(-1, fold, 2, 2)
    return np.stack([padded[..., 0].min(axis=1), padded[..., 1].max(axis=1)], axis=2)
