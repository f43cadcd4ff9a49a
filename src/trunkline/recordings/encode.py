"""Makes a file that any player plays of a recording's sound: MP3, WAV or Opus, by LAME and FFmpeg's libraries.

They run outside Python's lock, so encoding in a thread does not hold up the event loop.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import av
import msgspec
import numpy as np

from trunkline.calls.recording_names import RecordingFormat
from trunkline.recordings.compose import NARROW, Sound, Stereo
from trunkline.recordings.mp3 import LameRefuses, Mp3, tell_delays


class EncodingFailed(Exception):
    """The encoder refuses the sound; trying again hardly helps."""


class EncodingStopped(Exception): ...


class Encoded(msgspec.Struct, frozen=True):
    """The size of the file in ``bytes``, and the ``seconds`` of sound in it."""

    bytes: int
    seconds: float


class _Way(NamedTuple):
    """How FFmpeg makes a format: bits a second at 8 kHz and above (0: as many as there are)."""

    container: str
    codec: str
    narrow: int
    wide: int
    options: dict[str, str]


_MP3_OPTIONS = {"write_xing": "1", "id3v2_version": "4"}
_WAYS = {
    "wav": _Way("wav", "pcm_s16le", 0, 0, {}),
    "opus": _Way("ogg", "libopus", 48_000, 64_000, {"application": "audio", "vbr": "on"}),
}


def encode(
    sound: Sound,
    out: Path,
    format_: RecordingFormat,
    tags: Mapping[str, str],
    stopped: Callable[[], bool] = lambda: False,
) -> Encoded:
    """Make ``out``, a file on the disk, of a recording's sound. Blocks: call it in a thread.

    If nobody sent audio, it is a second of silence: the call's record names a recording, so there must be one
    that plays. Raises EncodingFailed, OSError, or EncodingStopped soon after ``stopped()`` is true; ``out`` is then
    gone.
    """
    write = _write_mp3 if format_ == "mp3" else partial(_write, _WAYS[format_])
    try:
        try:
            samples = write(sound, out, tags, stopped)
        except LameRefuses as error:
            raise EncodingFailed(str(error)) from error
        except av.FFmpegError as error:
            if isinstance(error, OSError) and error.errno and error.errno > 0:
                raise OSError(error.errno, error.strerror, str(out)) from error
            raise EncodingFailed(str(error)) from error
        _settle(out)
        return Encoded(bytes=out.stat().st_size, seconds=samples / sound.rate)
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def _write_mp3(
    sound: Sound, out: Path, tags: Mapping[str, str], stopped: Callable[[], bool]
) -> int:
    samples = 0
    with av.open(str(out), "w", format="mp3", options=_MP3_OPTIONS) as container:
        container.metadata.update(tags)
        mp3 = Mp3(container, sound.rate)
        for piece in _never_empty(sound, stopped):
            mp3.put(piece.tobytes())
            samples += len(piece)
        encoded = mp3.end()
    tell_delays(out, samples, encoded)
    return samples


def _write(
    way: _Way, sound: Sound, out: Path, tags: Mapping[str, str], stopped: Callable[[], bool]
) -> int:
    samples = 0
    with av.open(str(out), "w", format=way.container) as container:
        container.metadata.update(tags)
        stream = cast(
            "av.AudioStream",
            container.add_stream(way.codec, rate=sound.rate, layout="stereo", options=way.options),
        )
        if rate := way.narrow if sound.rate == NARROW else way.wide:
            stream.bit_rate = rate
        for piece in _never_empty(sound, stopped):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(piece).reshape(1, -1), format="s16", layout="stereo"
            )
            frame.sample_rate, frame.pts = sound.rate, samples
            container.mux(stream.encode(frame))
            samples += len(piece)
        container.mux(stream.encode(None))
    return samples


def _never_empty(sound: Sound, stopped: Callable[[], bool]) -> Iterator[Stereo]:
    empty = True
    for piece in sound.pieces:
        if stopped():
            raise EncodingStopped
        if len(piece):
            empty = False
            yield piece
    if empty:
        yield np.zeros((sound.rate, 2), np.int16)


def _settle(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
