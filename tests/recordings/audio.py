"""Raw audio as the engine writes it, and what is heard in an MP3."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 8000


def tone(hertz: float, seconds: float, level: float = 0.3) -> NDArray[np.float64]:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def raw(left: NDArray[np.float64], right: NDArray[np.float64]) -> bytes:
    """Interleaved 16-bit little-endian frames."""
    return (np.stack([left, right], axis=1) * 32767).astype("<i2").tobytes()


def heard(mp3: Path) -> NDArray[np.float64]:
    """Frames by channels, -1 to 1; raises soundfile.LibsndfileError for what is no MP3."""
    samples, rate = soundfile.read(str(mp3), always_2d=True, dtype="float64")
    assert rate == RATE
    return samples


def goertzel(samples: NDArray[np.float64], hertz: float) -> float:
    """The level of one frequency in dB of full scale (Goertzel's filter, as one DFT bin)."""
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / RATE) * np.hanning(len(samples))
    return float(20 * np.log10(abs((samples * wave).mean()) * 4 + 1e-12))
