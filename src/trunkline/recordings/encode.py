"""Makes an MP3 that any player plays of the engine's raw audio.

LAME runs outside Python's lock, so encoding in a thread does not hold up the event loop.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import lameenc
import msgspec

RATE = 8000
"""Samples a second of each channel, as the engine writes them."""

BIT_RATE = 64_000
"""Bits a second of the MP3, always the same, so that a player finds any second by counting.

It is the most that MPEG 2.5 has at 8 kHz: 28.8 MB an hour.
"""

FRAME_BYTES = 4
"""One sample of both channels: 16 bits little-endian of the caller, then of the callee."""

_SILENCE = bytes(RATE * FRAME_BYTES)
PIECE_FRAMES = 64 * 1024
"""So many frames are best encoded at once: eight seconds."""

# lameenc leaves LAME at joint stereo unless it is asked for more than 128 kbit/s. LAME then takes
# the most that the sample rate has (BIT_RATE) and keeps the two channels apart.
_ASKED_KBIT = 160
# As good as LAME's best on telephone speech, and four times as fast.
_QUALITY = 5


class EncodingFailed(Exception):
    """LAME refuses the audio; trying again hardly helps."""


class EncodingStopped(Exception): ...


class Encoded(msgspec.Struct, frozen=True):
    """The size of the MP3 in ``bytes``, and the ``seconds`` of audio in it."""

    bytes: int
    seconds: float


def encode(raw: Iterable[bytes], out: Path, stopped: Callable[[], bool] = lambda: False) -> Encoded:
    """Make ``out``, an MP3 on the disk, from pieces of raw audio. Blocks: call it in a thread.

    A sample that is cut off at the end of a piece is dropped. If nobody sent audio, the MP3 is a second of
    silence: the call's record names a recording, so there must be one that plays. Raises EncodingFailed,
    OSError, or EncodingStopped soon after ``stopped()`` is true; ``out`` is then gone.
    """
    try:
        with out.open("wb") as target:
            frames = _pour(raw, target, stopped)
            target.flush()
            os.fsync(target.fileno())
            return Encoded(bytes=target.tell(), seconds=frames / RATE)
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def _pour(raw: Iterable[bytes], target: BinaryIO, stopped: Callable[[], bool]) -> int:
    encoder, frames = _encoder(), 0
    for piece in filter(None, map(_whole_frames, raw)):
        if stopped():
            raise EncodingStopped
        target.write(_lame(encoder.encode, piece))
        frames += len(piece) // FRAME_BYTES
    if not frames:
        target.write(_lame(encoder.encode, _SILENCE))
        frames = len(_SILENCE) // FRAME_BYTES
    target.write(_lame(encoder.flush))
    return frames


def _whole_frames(piece: bytes) -> bytes:
    return piece[: len(piece) - len(piece) % FRAME_BYTES]


def _lame(step: Callable[..., bytes], *piece: bytes) -> bytes:
    try:
        return step(*piece)
    except RuntimeError as error:
        raise EncodingFailed(str(error)) from error


def _encoder() -> lameenc.Encoder:
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(2)
    encoder.set_in_sample_rate(RATE)
    encoder.set_out_sample_rate(RATE)
    encoder.set_bit_rate(_ASKED_KBIT)
    encoder.set_quality(_QUALITY)
    return encoder
