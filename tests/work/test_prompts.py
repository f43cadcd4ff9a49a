"""Prompts: any common WAV becomes what Asterisk plays, and what is none is refused."""

from __future__ import annotations

import math
import struct
import wave
from array import array
from pathlib import Path

import pytest

from trunkline.work.manage import make_prompts
from trunkline.work.manage.make_prompts import PromptRefused


def wav(path: Path, rate: int, width: int, channels: int, hertz: float = 440) -> Path:
    """One second of a tone at half volume."""
    with wave.open(str(path), "wb") as out:
        out.setparams((channels, width, rate, 0, "NONE", ""))
        for at in range(rate):
            value = math.sin(2 * math.pi * hertz * at / rate) / 2
            whole = round(value * ((1 << (8 * width - 1)) - 1))
            raw = struct.pack("<i", whole)[:width] if width > 1 else bytes([whole + 128])
            out.writeframesraw(raw * channels)
    return path


def loudness(samples: array[int], rate: int, hertz: float) -> float:
    """How much of a tone is in there: 0.5 for the one above."""
    turns = [2 * math.pi * hertz * at / rate for at in range(len(samples))]
    real = sum(value * math.cos(turn) for value, turn in zip(samples, turns, strict=True))
    other = sum(value * math.sin(turn) for value, turn in zip(samples, turns, strict=True))
    return 2 * math.hypot(real, other) / len(samples) / 32767


def played(path: Path) -> array[int]:
    return array("h", path.read_bytes())


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_any_common_wav_is_played(rate: int, width: int, channels: int, tmp_path: Path) -> None:
    make_prompts.of_file(wav(tmp_path / "a.wav", rate, width, channels), tmp_path / "p", "name")
    for wanted, ending in ((8000, ".sln"), (16_000, ".sln16")):
        samples = played(tmp_path / f"p/name{ending}")
        assert abs(len(samples) - wanted) <= 1
        assert 0.45 < loudness(samples, wanted, 440) < 0.52


def test_what_is_too_high_for_the_rate_is_taken_out(tmp_path: Path) -> None:
    make_prompts.of_file(wav(tmp_path / "a.wav", 48_000, 2, 1, 15_900), tmp_path, "name")
    assert loudness(played(tmp_path / "name.sln"), 8000, 100) < 0.05


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no WAV that can be read"),
        (b"ID3\x03 an mp3", "ffmpeg -i FILE"),
        (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x07\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\0\0\0",
         "unknown format: 7"),
        (b"RIFF\x24\0\0\0WAVEfmt \x80\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\0\0\0",
         "is no WAV that can be read"),
    ],
)  # fmt: skip
def test_what_is_no_wav_is_refused_with_what_to_do(
    content: bytes, says: str, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(PromptRefused, match=says):
        make_prompts.of_file(tmp_path / "a.wav", tmp_path / "p", "name")
    assert not (tmp_path / "p").exists()


def test_an_empty_wav_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
    with pytest.raises(PromptRefused, match="is not between 0 and 600 s long"):
        make_prompts.of_file(tmp_path / "a.wav", tmp_path, "name")
    with pytest.raises(PromptRefused, match=r"cannot read .*: No such file"):
        make_prompts.of_file(tmp_path / "b.wav", tmp_path, "name")


def test_a_text_is_spoken(tmp_path: Path) -> None:
    make_prompts.of_text("Hello; $(touch /tmp/x) --version", tmp_path / "p", "name")
    assert len(played(tmp_path / "p/name.sln")) > 8000
    make_prompts.remove(tmp_path / "p", "name")
    assert list((tmp_path / "p").iterdir()) == []


def test_without_the_speaker_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PromptRefused, match=r"apt-get install .* espeak-ng"):
        make_prompts.of_text("Hello", tmp_path, "name")


@pytest.mark.parametrize("text", ["", "  ", "x" * 5001])
def test_a_text_has_a_length(text: str, tmp_path: Path) -> None:
    with pytest.raises(PromptRefused, match="1 to 5000 characters"):
        make_prompts.of_text(text, tmp_path, "name")
