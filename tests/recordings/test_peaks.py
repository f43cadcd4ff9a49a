"""A waveform that a player can draw at once."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from trunkline.recordings.compose import Sound, Stereo
from trunkline.recordings.peaks import MOST_PIXELS, Peaks


def written(pieces: list[Stereo], file: Path, rate: int = 8000) -> dict[str, object]:
    peaks = Peaks(rate)
    passed = list(peaks.of(Sound(rate, iter(pieces))).pieces)
    assert all(np.array_equal(*pair) for pair in zip(passed, pieces, strict=True))
    peaks.write(file)
    return dict(msgspec.json.decode(file.read_bytes()))


def levels(left: tuple[int, int], right: tuple[int, int], samples: int) -> Stereo:
    """Each side goes between a least and a greatest value."""
    both = np.zeros((samples, 2), np.int16)
    for side, (least, greatest) in enumerate((left, right)):
        both[::2, side], both[1::2, side] = least, greatest
    return both


def test_each_pixel_has_the_least_and_the_greatest_of_both_sides(tmp_path: Path) -> None:
    quiet = levels((-256, 256), (0, 0), 400)
    loud = levels((-32768, 32767), (-512, 1024), 400)
    told = written([np.concatenate([quiet, loud])], tmp_path / "p")
    assert told == {
        "version": 2,
        "channels": 2,
        "sample_rate": 8000,
        "samples_per_pixel": 400,
        "bits": 8,
        "length": 2,
        "data": [-1, 1, 0, 0, -128, 127, -2, 4],
    }


@pytest.mark.parametrize("cut", [1, 399, 400, 401, 8000])
def test_it_is_the_same_however_the_sound_is_cut(tmp_path: Path, cut: int) -> None:
    sound = np.random.default_rng(3).integers(-20000, 20000, (9999, 2)).astype(np.int16)
    whole = written([sound], tmp_path / "whole")
    pieces = [sound[at : at + cut] for at in range(0, len(sound), cut)]
    assert written(pieces, tmp_path / "cut") == whole
    assert whole["length"] == 25


def test_a_long_one_has_fewer_pixels_a_second(tmp_path: Path) -> None:
    minute = levels((-256, 256), (-512, 512), 60 * 8000)
    told = written([minute] * 100, tmp_path / "p")
    assert (told["length"], told["samples_per_pixel"]) == (30_000, 4 * 400)
    assert told["length"] <= MOST_PIXELS  # type: ignore[operator]


def test_of_no_sound_there_is_no_pixel(tmp_path: Path) -> None:
    assert (written([], tmp_path / "p")["length"], written([], tmp_path / "p")["data"]) == (0, [])
