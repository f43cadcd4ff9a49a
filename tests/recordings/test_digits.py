"""Digits are not heard in a recording, and speech is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trunkline.recordings.digits import HIGH, LOW, silenced

KEYS = "123A456B789C*0#D"


def digit(key: str, seconds: float, rate: int, level: float = 0.25) -> NDArray[np.float64]:
    row, column = divmod(KEYS.index(key), 4)
    times = np.arange(round(seconds * rate)) / rate
    return level * (np.sin(2 * np.pi * LOW[row] * times) + np.sin(2 * np.pi * HIGH[column] * times))


def samples(sound: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.clip(sound * 32767, -32768, 32767).astype(np.int16)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("noise", [0.0, 0.003, 0.02])
@pytest.mark.parametrize("lasts", [0.05, 0.08, 0.2])
def test_every_key_is_silenced(rate: int, noise: float, lasts: float) -> None:
    chance = np.random.default_rng(1)
    heard = 0.0
    for key in KEYS * 3:
        sound = chance.normal(0, noise, rate) if noise else np.zeros(rate)
        begin = round(chance.uniform(0.2, 0.6) * rate)
        key_sound = digit(key, lasts, rate)
        sound[begin : begin + len(key_sound)] += key_sound
        left = silenced(samples(sound), rate)[begin : begin + len(key_sound)] / 32767
        heard = max(heard, float((left**2).sum() / (key_sound**2).sum()))
    assert heard < 0.05


def test_a_weak_or_uneven_key_is_silenced_too() -> None:
    for low, high in ((0.01, 0.01), (0.1, 0.04), (0.04, 0.1), (0.02, 0.02)):
        times = np.arange(800) / 8000
        sound = np.zeros(8000)
        sound[3000:3800] = low * np.sin(2 * np.pi * 770 * times) + high * np.sin(
            2 * np.pi * 1336 * times
        )
        assert not silenced(samples(sound), 8000)[3100:3700].any()


def test_under_speech_it_takes_a_telephone_event_to_know_it(speech: NDArray[np.float64]) -> None:
    sound = 0.15 * speech[: 3 * 8000] / np.abs(speech).max()
    sound[8000:8800] += digit("5", 0.1, 8000, 0.15)
    left = silenced(samples(sound), 8000, [(1.0, 1.1)])
    assert np.abs(left[8050:8750]).max() < 400


def test_speech_is_kept(speech: NDArray[np.float64]) -> None:
    """Several minutes of it: no more than 40 ms are ever lost, and next to nothing in all."""
    sound = samples(0.5 * speech / np.abs(speech).max())
    gone = (silenced(sound, 8000) == 0) & (np.abs(sound) > 100)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], gone, [0]])))
    longest = max((end - begin for begin, end in edges.reshape(-1, 2)), default=0) / 8000
    assert longest <= 0.04
    assert gone.mean() < 1e-4


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.float64]:
    """At 8 kHz, by espeak-ng in several voices."""
    import subprocess

    import soundfile

    folder = tmp_path_factory.mktemp("speech")
    spoken = []
    for number, voice in enumerate(("en-us", "en-us+f3", "de", "vi", "fr+f2", "en-gb+m7")):
        file: Path = folder / f"{number}.wav"
        text = (Path(__file__).parents[2] / "README.md").read_text()[1500:3500]
        subprocess.run(["espeak-ng", "-v", voice, "-w", str(file), text], check=True)
        sound, rate = soundfile.read(str(file))
        times = np.arange(int(len(sound) * 8000 / rate)) * rate / 8000
        kernel = np.hanning(7) / np.hanning(7).sum()
        spoken.append(np.interp(times, np.arange(len(sound)), np.convolve(sound, kernel, "same")))
    return np.concatenate(spoken)
