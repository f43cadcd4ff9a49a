"""Music: any common audio becomes what Asterisk plays, about as loud as speech, and what is none is refused."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from trunkline.work.manage import music, music_files
from trunkline.work.manage.music_files import MusicRefused

HERTZ = 440


def tone(seconds: float, rate: int = 44_100, level: float = 0.5) -> NDArray[np.float64]:
    at = np.arange(int(seconds * rate)) / rate
    return np.asarray(level * np.sin(2 * np.pi * HERTZ * at))


def written(path: Path, samples: NDArray[np.float64], rate: int = 44_100) -> Path:
    soundfile.write(path, samples, rate)
    return path


def played(folder: Path, name: str) -> NDArray[np.float64]:
    """What Asterisk would play, -1 to 1."""
    container, options = {
        "music.ulaw": ("mulaw", {"sample_rate": "8000"}),
        "music.alaw": ("alaw", {"sample_rate": "8000"}),
        "music.g722": ("g722", {}),
    }[name]
    with av.open(str(folder / name), format=container, options=options) as opened:
        frames = [frame.to_ndarray()[0] for frame in opened.decode(audio=0)]
    return np.concatenate(frames) / 32768


def decibels(samples: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(samples**2)))


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_common_formats_are_taken(ending: str, tmp_path: Path) -> None:
    stereo = np.stack([tone(2), tone(2)], axis=1)
    file = written(tmp_path / f"in.{ending}", stereo)
    assert music_files.of_file(file, tmp_path / "music/a") == 2
    for name, rate in (("music.ulaw", 8000), ("music.alaw", 8000), ("music.g722", 16_000)):
        samples = played(tmp_path / "music/a", name)
        assert len(samples) == pytest.approx(2 * rate, rel=0.05)
        spectrum = np.abs(np.fft.rfft(samples))
        assert np.argmax(spectrum) * rate / len(samples) == pytest.approx(HERTZ, abs=1)
        assert decibels(samples) == pytest.approx(music_files.LOUDNESS, abs=0.7)
        assert stat.S_IMODE((tmp_path / "music/a" / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("ending", ["m4a", "webm"])
def test_what_a_video_says_is_taken(ending: str, tmp_path: Path) -> None:
    codec, rate = {"m4a": ("aac", 44_100), "webm": ("libopus", 48_000)}[ending]
    with av.open(str(tmp_path / f"in.{ending}"), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        samples = tone(2, rate).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
        frame.sample_rate = rate
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert music_files.of_file(tmp_path / f"in.{ending}", tmp_path / "music/a") == 2


@pytest.mark.parametrize("level", [0.01, 0.1, 0.99])
def test_it_is_as_loud_as_speech_whatever_it_was(level: float, tmp_path: Path) -> None:
    music_files.of_file(written(tmp_path / "in.wav", tone(3, level=level)), tmp_path / "a")
    assert decibels(played(tmp_path / "a", "music.ulaw")) == pytest.approx(-24, abs=1)


def test_pauses_do_not_make_it_louder(tmp_path: Path) -> None:
    samples = np.concatenate([tone(2), np.zeros(20 * 44_100)])
    music_files.of_file(written(tmp_path / "in.wav", samples), tmp_path / "a")
    loud = played(tmp_path / "a", "music.ulaw")[:16_000]
    assert decibels(loud) == pytest.approx(-24, abs=1)


def test_nothing_is_cut_off(tmp_path: Path) -> None:
    """Quiet, with a bang in it: the bang says how loud it can be made."""
    samples = tone(3, level=0.005)
    samples[44_100:44_200] = 0.9
    music_files.of_file(written(tmp_path / "in.wav", samples), tmp_path / "a")
    assert 0.5 < np.abs(played(tmp_path / "a", "music.g722")).max() < 0.999


def refusal(file: Path, tmp_path: Path) -> str:
    with pytest.raises(MusicRefused) as refused:
        music_files.of_file(file, tmp_path / "music/a")
    assert not list((tmp_path / "music").glob("*"))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_what_is_no_music_is_refused(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.mp3", tmp_path / "empty.wav"
    text.write_text("no music\n" * 1000)
    empty.touch()
    assert "no music that can be read" in refusal(text, tmp_path)
    assert "no music that can be read" in refusal(empty, tmp_path)
    assert "cannot read" in refusal(tmp_path / "absent.mp3", tmp_path)
    assert "cannot read" in refusal(tmp_path, tmp_path)
    silent = written(tmp_path / "silent.wav", np.zeros(3 * 44_100))
    assert "nothing but silence" in refusal(silent, tmp_path)
    short = written(tmp_path / "short.wav", tone(0.5))
    assert "shorter than 1 s" in refusal(short, tmp_path)


def test_a_picture_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 64
        for _ in range(10):
            picture = np.zeros((64, 64, 3), dtype=np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        out.mux(stream.encode(None))
    assert "no sound in it" in refusal(tmp_path / "in.mp4", tmp_path)


@pytest.mark.parametrize("ending", ["m3u8", "txt", "ffconcat"])
def test_a_list_of_other_files_is_not_followed(ending: str, tmp_path: Path) -> None:
    written(tmp_path / "secret.wav", tone(2))
    lists = {
        "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsecret.wav\n#EXT-X-ENDLIST\n",
        "txt": "file secret.wav\n",
        "ffconcat": "ffconcat version 1.0\nfile secret.wav\n",
    }
    (tmp_path / f"in.{ending}").write_text(lists[ending])
    assert "no music that can be read" in refusal(tmp_path / f"in.{ending}", tmp_path)


def test_what_is_too_long_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "in.wav", tone(4))
    monkeypatch.setattr(music_files, "LONGEST_SECONDS", 3)
    assert "longer than" in refusal(file, tmp_path)
    monkeypatch.setattr(music_files, "LARGEST", 1000)
    assert "larger than" in refusal(file, tmp_path)


def test_deleted_music_stays_until_nobody_can_hear_it(tmp_path: Path) -> None:
    file = written(tmp_path / "in.wav", tone(2))
    for name in "ab":
        music_files.of_file(file, tmp_path / "music" / name)
    music.forget(tmp_path / "music/a")
    music.forget(tmp_path / "music/absent")
    assert music.remove_forgotten(tmp_path / "music", 60) == 0
    assert (tmp_path / "music/a/music.ulaw").exists()
    long_ago = time.time() - 61
    os.utime(tmp_path / "music/a/deleted", (long_ago, long_ago))
    assert music.remove_forgotten(tmp_path / "music", 60) == 1
    assert [each.name for each in (tmp_path / "music").iterdir()] == ["b"]
