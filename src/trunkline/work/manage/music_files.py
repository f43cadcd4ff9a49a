"""Music that people uploaded, as files that Asterisk plays as they are: each in a folder under its id.

Any audio that PyAV reads is taken. There is a file for each codec of phones and carriers, so that nothing is
transcoded for who waits; for other codecs, G.722 is. None is signed linear: calls between two codecs go by a path
from that, and Debian's Asterisk would take what is played for late packets of who spoke on it before
(2016_opus_plc.patch): in one of two cases nothing would be heard.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from numpy.typing import NDArray

LARGEST, SHORTEST_SECONDS, LONGEST_SECONDS = 200 << 20, 1, 900
WIDE, NARROW = 16_000, 8_000
LOUDNESS = -24.0
"""What music is brought to (dB of full scale, over what is not a pause): about that of speech and of the default music."""
_LOUDEST_PEAK, _MOST_GAIN = -1.0, 40.0
_PAUSE, _QUIET = -60.0, 15.0
"""A pause is below this, or by so much below the rest (dB)."""
_BLOCK = WIDE * 2 // 5
_FORMATS = (
    *("wav", "w64", "aiff", "au", "caf", "flac", "mp3", "ogg", "aac", "ac3", "amr", "gsm", "ape", "wv", "tta", "dsf"),
    *("mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "asf", "avi", "mpeg", "mpegts"),
)  # fmt: skip
"""FFmpeg's names. Not those that are lists of other files, or make sound of a text."""
_CODECS = {
    "music.ulaw": ("mulaw", "pcm_mulaw", NARROW),
    "music.alaw": ("alaw", "pcm_alaw", NARROW),
    "music.g722": ("g722", "adpcm_g722", WIDE),
}
_TAKE = "take an MP3, WAV, FLAC, Ogg or M4A"


class MusicRefused(Exception):
    """The file cannot be played; the message says what can."""


def of_file(file: Path, folder: Path) -> int:
    """Put the music in a file into a new folder, whole or not at all; gives its seconds. Raises MusicRefused."""
    samples = _level(_decoded(file))
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    try:
        for name, (container, codec, rate) in _CODECS.items():
            _write(aside / name, container, codec, rate, samples)
        aside.rename(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return round(len(samples) / WIDE)


def _decoded(file: Path) -> NDArray[np.float32]:
    """All channels together at 16 kHz, -1 to 1."""
    pieces, length = list[NDArray[np.float32]](), 0
    try:
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
    except OSError as error:
        raise MusicRefused(f"cannot read {file}: {error.strerror}") from error
    if size > LARGEST:
        raise MusicRefused(f"{file} is larger than {LARGEST >> 20} MB: take a part of it")
    try:
        for piece in _pieces(file):
            pieces.append(piece)
            length += len(piece)
            if length > LONGEST_SECONDS * WIDE:
                raise MusicRefused(
                    f"{file} is longer than {LONGEST_SECONDS // 60} minutes: take a part of it"
                    " (it begins again when it has ended)"
                )
    except av.FFmpegError as error:
        raise MusicRefused(
            f"{file} is no music that can be read ({error.strerror}): {_TAKE}"
        ) from error
    if length < SHORTEST_SECONDS * WIDE:
        raise MusicRefused(
            f"{file} is shorter than {SHORTEST_SECONDS} s: nobody would call it music"
        )
    return np.nan_to_num(np.concatenate(pieces), copy=False)


def _pieces(file: Path) -> Iterator[NDArray[np.float32]]:
    with av.open(str(file), options={"format_whitelist": ",".join(_FORMATS)}) as opened:
        if not opened.streams.audio:
            raise MusicRefused(f"{file} has no sound in it: {_TAKE}")
        resampler = AudioResampler(format="flt", layout="mono", rate=WIDE)
        for frame in chain(opened.decode(audio=0), [None]):
            for made in resampler.resample(frame):
                yield made.to_ndarray()[0]


def _level(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """As loud as LOUDNESS, where it can be so without being cut off."""
    blocks = samples[: len(samples) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    power = np.mean(np.square(blocks, dtype=np.float64), axis=1)
    loud = power[power > 10 ** (_PAUSE / 10)]
    if not len(loud):
        raise MusicRefused("there is nothing but silence in it: take other music")
    loud = loud[loud > loud.mean() * 10 ** (-_QUIET / 10)]
    gain = LOUDNESS - 10 * np.log10(loud.mean())
    room = _LOUDEST_PEAK - 20 * np.log10(np.abs(samples).max())
    return samples * np.float32(10 ** (min(gain, room, _MOST_GAIN) / 20))


def _write(path: Path, container: str, codec: str, rate: int, samples: NDArray[np.float32]) -> None:
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
        with av.open(out, "w", format=container) as made:
            stream = made.add_stream(codec, rate=rate, layout="mono")
            assert isinstance(stream, AudioStream)
            resampler = AudioResampler(format="s16", layout="mono", rate=rate)
            for at in range(0, len(samples), WIDE):
                frame = AudioFrame.from_ndarray(samples[None, at : at + WIDE], "flt", "mono")
                frame.sample_rate, frame.pts = WIDE, at
                for one in resampler.resample(frame):
                    made.mux(stream.encode(one))
            for one in resampler.resample(None):
                made.mux(stream.encode(one))
            made.mux(stream.encode(None))
        out.flush()
        os.fsync(out.fileno())
