"""What Asterisk calls astdatadir: its own files, what people uploaded, and the default music."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from trunkline.engine.config.music import make_data_directory


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own/sounds").mkdir(parents=True)
    return tmp_path / "own"


def made(tmp_path: Path) -> Path:
    here = tmp_path / "engine/share"
    make_data_directory(here, tmp_path / "own", tmp_path / "music")
    return here


def test_asterisks_files_and_the_uploaded_are_there(own: Path, tmp_path: Path) -> None:
    here = made(tmp_path)
    assert (here / "sounds").resolve() == own / "sounds"
    assert (here / "music").resolve() == tmp_path / "music"


def test_the_music_that_came_with_asterisk_is_the_default(own: Path, tmp_path: Path) -> None:
    (own / "moh").mkdir()
    (own / "moh/piece.gsm").touch()
    assert (made(tmp_path) / "moh").resolve() == own / "moh"
    assert not (tmp_path / "engine/notes").exists()


@pytest.mark.parametrize("there", [[], ["README"], ["piece.mp3"]])
def test_without_music_that_can_be_played_notes_are(
    there: list[str], own: Path, tmp_path: Path
) -> None:
    (own / "moh").mkdir()
    for name in there:
        (own / "moh" / name).touch()
    (file,) = (made(tmp_path) / "moh").iterdir()
    samples, _ = soundfile.read(
        file, format="RAW", subtype="ULAW", samplerate=8000, channels=1, dtype="float64"
    )
    loudness = 10 * np.log10(np.mean(samples.reshape(-1, 800) ** 2, axis=1))
    assert len(samples) == 6 * 8000
    assert loudness.min() > -32  # at no time is it silent
    assert np.abs(samples).max() < 0.2
    assert np.abs(np.diff(np.concatenate([samples[-5:], samples[:5]]))).max() < 0.05


def test_another_asterisk_takes_the_place_of_the_one_before(own: Path, tmp_path: Path) -> None:
    (own / "old").mkdir()
    made(tmp_path)
    (own / "old").rmdir()
    (own / "moh").mkdir()
    (own / "moh/piece.gsm").touch()
    assert {each.name for each in made(tmp_path).iterdir()} == {"moh", "music", "sounds"}
    assert (made(tmp_path) / "moh").resolve() == own / "moh"


def test_an_asterisk_without_such_a_directory_is_fine(tmp_path: Path) -> None:
    assert {each.name for each in made(tmp_path).iterdir()} == {"moh", "music"}
