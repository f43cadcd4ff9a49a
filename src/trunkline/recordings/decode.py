"""Turns packets of the codecs that phones speak into samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, cast

import av
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]


class Decoder(Protocol):
    rate: int
    """Samples a second."""

    def decode(self, packets: Sequence[bytes]) -> list[Samples]:
        """The samples of each packet; the packets follow those of the call before."""


class UnknownFormat(Exception):
    """There is no decoder for what this leg spoke."""


def decoder(format_: str) -> Decoder:
    """A new decoder for a format by Asterisk's name; raises UnknownFormat."""
    if (made := _DECODERS.get(format_)) is None:
        raise UnknownFormat(format_)
    return made()


class _G711:
    """ITU-T G.711: one byte a sample."""

    rate = 8000

    def __init__(self, law: str) -> None:
        self._table = _all(_codec(law, self.rate).decode(av.Packet(bytes(range(256)))))

    def decode(self, packets: Sequence[bytes]) -> list[Samples]:
        return [self._table[np.frombuffer(packet, np.uint8)] for packet in packets]


class _Stateful:
    """A codec whose packets build on each other."""

    def __init__(self, codec: str, rate: int) -> None:
        self.rate = rate
        self._codec = _codec(codec, rate)

    def decode(self, packets: Sequence[bytes]) -> list[Samples]:
        return [self._one(packet) for packet in packets]

    def _one(self, packet: bytes) -> Samples:
        try:
            return _all(self._codec.decode(av.Packet(packet)))
        except av.FFmpegError:  # a damaged packet is silence, and not the end of the recording
            return np.zeros(0, np.int16)


def _codec(name: str, rate: int) -> av.AudioCodecContext:
    codec = cast("av.AudioCodecContext", av.CodecContext.create(name, "r"))
    codec.sample_rate, codec.layout = rate, "mono"
    return codec


def _all(frames: Sequence[av.AudioFrame]) -> Samples:
    """Mono samples of 16 bits of these frames."""
    if not frames:
        return np.zeros(0, np.int16)
    joined = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
    mono = joined.mean(axis=0) if frames[0].format.is_planar else joined[0]
    if np.issubdtype(joined.dtype, np.floating):
        mono = np.clip(np.rint(mono * 32768), -32768, 32767)
    samples: Samples = mono.astype(np.int16)
    return samples


class _Linear:
    """Asterisk's own signed linear, little-endian."""

    def __init__(self, rate: int) -> None:
        self.rate = rate

    def decode(self, packets: Sequence[bytes]) -> list[Samples]:
        return [np.frombuffer(packet[: len(packet) // 2 * 2], "<i2") for packet in packets]


_DECODERS: dict[str, Callable[[], Decoder]] = {
    "ulaw": lambda: _G711("pcm_mulaw"),
    "alaw": lambda: _G711("pcm_alaw"),
    "g722": lambda: _Stateful("g722", 16000),
    "opus": lambda: _Stateful("libopus", 48000),
    "slin": lambda: _Linear(8000),
    "slin16": lambda: _Linear(16000),
    "slin48": lambda: _Linear(48000),
}
