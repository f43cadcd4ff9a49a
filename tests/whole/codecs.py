"""What sound is sent as: G.711, G.722 and Opus, a packet for every 20 ms (by FFmpeg, as libraries)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import av
import msgspec
import numpy as np
from numpy.typing import NDArray

RATE = 16_000
"""Samples a second of all sound that is said and heard here."""
STEP = 0.02
Samples = NDArray[np.float64]


class Codec(msgspec.Struct, frozen=True):
    """A codec as SDP names it (``rtpmap``), with the payload type that we give it in an offer.

    ``clock`` is that of its RTP time stamps; G.722's is 8000, although its sound has 16,000 samples a second (RFC 3551, 4.5.2).
    """

    name: str
    payload: int
    clock: int
    rtpmap: str
    coder: str
    said_at: int
    """Samples a second that go into it."""
    heard_at: int
    """And that come out of it."""

    @property
    def wide(self) -> bool:
        """Does it carry more than 4 kHz?"""
        return self.said_at > 8000

    def encoded(self, sound: Samples) -> list[bytes]:
        """Sound of ``RATE`` as payloads of 20 ms; a rest at its end is left out."""
        whole = np.clip(resampled(sound, RATE, self.said_at), -1, 1) * 32767
        pcm, size = whole.astype(np.int16)[None, :], int(self.said_at * STEP)
        coder = av.CodecContext.create(self.coder, "w")
        coder.sample_rate, coder.layout, coder.format = self.said_at, "mono", "s16"
        if self.coder == "libopus":
            coder.bit_rate = 32_000
            coder.options = {"frame_duration": "20", "application": "voip"}
        made: list[bytes] = []
        for at in range(0, pcm.shape[1] - size + 1, size):
            frame = av.AudioFrame.from_ndarray(pcm[:, at : at + size], "s16", "mono")
            frame.sample_rate, frame.pts = self.said_at, at
            made += map(bytes, coder.encode(frame))
        return made

    def decoded(self, payloads: Iterable[bytes]) -> list[Samples]:
        """The sound of each payload, ``heard_at`` samples a second."""
        coder = av.CodecContext.create(self.coder, "r")
        coder.sample_rate, coder.layout = self.heard_at, "mono"
        made: list[Samples] = []
        for payload in payloads:
            frames = [frame.to_ndarray() for frame in coder.decode(av.Packet(payload))]
            pcm = np.concatenate([frame.reshape(-1) for frame in frames] or [np.zeros(0)])
            made.append(pcm / 32768 if pcm.dtype == np.int16 else pcm.astype(np.float64))
        return made


PCMU = Codec("PCMU", 0, 8000, "PCMU/8000", "pcm_mulaw", 8000, 8000)
PCMA = Codec("PCMA", 8, 8000, "PCMA/8000", "pcm_alaw", 8000, 8000)
G722 = Codec("G.722", 9, 8000, "G722/8000", "g722", 16_000, 16_000)
OPUS = Codec("Opus", 107, 48_000, "opus/48000/2", "libopus", 16_000, 48_000)
ALL = (PCMU, PCMA, G722, OPUS)
NOISE = 13
"""Comfort noise (RFC 3389)."""

Formats = tuple[tuple[int, Codec], ...]
"""Payload types with their codecs, the most wanted one first."""


def offered(codecs: Sequence[Codec]) -> Formats:
    """As we number them."""
    return tuple((codec.payload, codec) for codec in codecs)


def common(ours: Sequence[Codec], theirs: Formats) -> Formats:
    """What both have, in our order and by their numbers."""
    return tuple((number, codec) for codec in ours for number, each in theirs if each == codec)


def resampled(sound: Samples, rate: int, wanted: int) -> Samples:
    """Sound at another rate; what that has no room for is cut off, and nothing is shifted."""
    if rate == wanted or not len(sound):
        return sound
    size = round(len(sound) * wanted / rate)
    spectrum = np.fft.rfft(sound)
    kept = np.zeros(size // 2 + 1, complex)
    many = min(len(spectrum), len(kept))
    kept[:many] = spectrum[:many]
    return np.fft.irfft(kept, size) * (size / len(sound))
