"""Tones: made for phones and carriers to play, and measured in what the other side got."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

RATE = 8000
QUIET = 0.01
"""Below this root mean square (of full scale) a window counts as silence."""


def samples(
    frequency: float, seconds: float, level: float = 0.5, rate: int = RATE
) -> NDArray[np.int16]:
    """A sine of ``frequency`` Hz at ``rate`` samples a second; 0 Hz is silence."""
    at = np.arange(int(seconds * rate)) / rate
    return np.asarray(level * 32767 * np.sin(2 * np.pi * frequency * at), dtype=np.int16)


def write_wav(file: Path, frequency: float, seconds: float, rate: int = RATE) -> Path:
    """A mono 16-bit WAV file of that tone."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples(frequency, seconds, rate=rate).tobytes())
    return file


def write_ulaw(file: Path, frequency: float, seconds: float) -> Path:
    """The tone as bare G.711 mu-law bytes, as SIPp's rtp_stream wants it."""
    file.write_bytes(ulaw(frequency, seconds))
    return file


def ulaw(frequency: float, seconds: float) -> bytes:
    """The tone as bare G.711 mu-law bytes."""
    out, pcm = io.BytesIO(), samples(frequency, seconds).astype(np.float64) / 32768
    soundfile.write(out, pcm, RATE, format="RAW", subtype="ULAW")
    return out.getvalue()


class Sound:
    """Decoded audio (WAV, MP3); ``data`` is frames by channels, -1 to 1."""

    def __init__(self, source: Path | bytes) -> None:
        readable = io.BytesIO(source) if isinstance(source, bytes) else str(source)
        self.data, self.rate = soundfile.read(readable, always_2d=True, dtype="float64")

    @property
    def channels(self) -> int:
        """How many there are."""
        return int(self.data.shape[1])

    @property
    def seconds(self) -> float:
        """How long it is."""
        return float(self.data.shape[0] / self.rate)

    def heard(self, channel: int, window: float = 0.25) -> list[float]:
        """The dominant frequency (Hz) in each window of a channel; 0 where it is silent."""
        size = int(self.rate * window)
        whole = self.data[: len(self.data) // size * size, channel]
        return [dominant(part, self.rate) for part in whole.reshape(-1, size)]

    def said(self, channel: int, shortest: float = 0.4) -> list[tuple[float, float]]:
        """(tone, seconds) in their order on a channel; silence and what is shorter is left out."""
        runs: list[tuple[float, float]] = []
        for tone in self.heard(channel, 0.1):
            if runs and abs(runs[-1][0] - tone) <= 12:
                runs[-1] = (runs[-1][0], runs[-1][1] + 0.1)
            else:
                runs.append((tone, 0.1))
        return [run for run in runs if run[0] and run[1] >= shortest]

    def share(self, channel: int, frequency: float, within: float = 8) -> float:
        """How much of what sounds on a channel (0 to 1) is that tone."""
        loud = [heard for heard in self.heard(channel) if heard]
        near = [heard for heard in loud if abs(heard - frequency) <= within]
        return len(near) / len(loud) if loud else 0.0


def dominant(part: NDArray[np.float64], rate: int) -> float:
    """The loudest frequency (Hz) in a piece of sound; 0 where it is silent."""
    if float(np.sqrt(np.mean(part**2))) < QUIET:
        return 0.0
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 4 * len(part)))
    return float(np.argmax(spectrum) * rate / (4 * len(part)))
