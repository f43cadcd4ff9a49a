"""Prompts: what a caller is told, as files that Asterisk plays (8 and 16 kHz, signed linear).

They are made of a WAV that somebody uploads, of any common rate and width, or of a text that espeak-ng speaks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import wave
from array import array
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

RATES = {8000: ".sln", 16000: ".sln16"}
LONGEST_SECONDS, LONGEST_TEXT = 600, 5000
_FRAMES = 65536
"""So many frames are read at once: a number takes more room in Python than in a file."""
_SPEAKER = "espeak-ng"
_USE = "take a WAV of PCM, 8 to 32 bit and 8000 to 96000 Hz; this makes one: ffmpeg -i FILE -ar 16000 -ac 1 OUT.wav"
_INSTALL = (
    "install it (sudo apt-get install --no-install-recommends espeak-ng), or give a WAV with --file"
)


class PromptRefused(Exception):
    """The file or the text cannot be played; the message says what can."""


def of_file(file: Path, folder: Path, name: str) -> None:
    """Put a WAV into the folder, under a name that we made; raises PromptRefused."""
    rate, samples = _read(file)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for wanted, ending in RATES.items():
        _write(folder / f"{name}{ending}", _at_rate(samples, rate, wanted))


def of_text(text: str, folder: Path, name: str) -> None:
    """Have a text spoken, and put the speech into the folder; raises PromptRefused."""
    if not text.strip() or len(text) > LONGEST_TEXT:
        raise PromptRefused(f"--text has 1 to {LONGEST_TEXT} characters")
    program = shutil.which(_SPEAKER)
    if program is None:
        raise PromptRefused(f"{_SPEAKER} speaks a --text, and is not on this machine: {_INSTALL}")
    with TemporaryDirectory() as scratch:
        spoken = Path(scratch) / "spoken.wav"
        command = [program, "-w", str(spoken), "--stdin"]
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
        if done.returncode or not spoken.exists():
            said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
            raise PromptRefused(f"{_SPEAKER} failed: {said or done.returncode}")
        of_file(spoken, folder, name)


def remove(folder: Path, name: str) -> None:
    for ending in RATES.values():
        (folder / f"{name}{ending}").unlink(missing_ok=True)


def _read(file: Path) -> tuple[int, Sequence[float]]:
    """The rate, and the samples of all channels together, from -1 to 1."""
    try:
        with wave.open(str(file), "rb") as opened:
            channels, width, rate, count = opened.getparams()[:4]
            if not 1 <= channels <= 8 or not 8000 <= rate <= 96_000 or not 1 <= width <= 4:
                raise PromptRefused(f"{file} has {channels} channels at {rate} Hz: {_USE}")
            if not 0 < count <= LONGEST_SECONDS * rate:
                raise PromptRefused(f"{file} is not between 0 and {LONGEST_SECONDS} s long")
            samples = array("d")
            while frames := opened.readframes(_FRAMES):
                samples.extend(_mixed(frames, width, channels))
    except (wave.Error, EOFError, RuntimeError) as error:  # RuntimeError: a wrong length
        raise PromptRefused(f"{file} is no WAV that can be read ({error}): {_USE}") from error
    except OSError as error:
        raise PromptRefused(f"cannot read {file}: {error.strerror}") from error
    if not samples:
        raise PromptRefused(f"{file} has no sound in it: {_USE}")
    return rate, samples


def _mixed(frames: bytes, width: int, channels: int) -> list[float]:
    values = _values(frames[: len(frames) - len(frames) % (width * channels)], width)
    full = float(1 << (8 * width - 1)) * channels
    apart = [values[channel::channels] for channel in range(channels)]
    return [sum(each) / full for each in zip(*apart, strict=True)]


def _values(raw: bytes, width: int) -> Sequence[int]:
    if width == 1:  # unsigned, as RIFF has it
        return [value - 128 for value in raw]
    if width == 3:
        thirds = zip(raw[0::3], raw[1::3], raw[2::3], strict=True)
        return [((high ^ 128) - 128 << 16) | middle << 8 | low for low, middle, high in thirds]
    read = array("h" if width == 2 else "i")
    read.frombytes(raw)
    if sys.byteorder == "big":
        read.byteswap()
    return read


def _at_rate(samples: Sequence[float], rate: int, wanted: int) -> array[int]:
    """Each new sample is the mean of the time that it stands for, so tones too high for the rate go."""
    sums = array("d", [0.0])
    sums.extend(accumulate(samples))
    step = rate / wanted
    made = array("h")
    for at in range(int(len(samples) / step)):
        mean = (_sum_at(sums, (at + 1) * step) - _sum_at(sums, at * step)) / step
        made.append(max(-32768, min(32767, round(mean * 32767))))
    return made


def _sum_at(sums: Sequence[float], time: float) -> float:
    whole = min(int(time), len(sums) - 1)
    after = sums[min(whole + 1, len(sums) - 1)]
    return sums[whole] + (after - sums[whole]) * (time - whole)


def _write(path: Path, samples: array[int]) -> None:
    if sys.byteorder == "big":
        samples.byteswap()
    aside = path.with_name(path.name + ".new")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "wb") as out:
        samples.tofile(out)
        out.flush()
        os.fsync(out.fileno())
    aside.replace(path)
