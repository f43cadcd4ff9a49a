from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from typing import Any

import av
import lameenc
import numpy as np
import pytest
from numpy.typing import NDArray

from trunkline.calls.recording_names import RecordingFormat
from trunkline.recordings import encode as encoding
from trunkline.recordings.compose import Sound
from trunkline.recordings.encode import Encoded, EncodingFailed, EncodingStopped

from .audio import RATE, goertzel, heard, tone

BIT_RATE = 64_000
"""Of an MP3 at 8 kHz."""


def spoken(left: NDArray[np.float64], right: NDArray[np.float64]) -> Sound:
    """In pieces of eight seconds."""
    both = (np.stack([left, right], axis=1) * 32767).astype(np.int16)
    return Sound(RATE, iter([both[at : at + 8 * RATE] for at in range(0, len(both), 8 * RATE)]))


def encode(sound: Sound, out: Path, stopped: Callable[[], bool] = lambda: False) -> Encoded:
    return encoding.encode(sound, out, "mp3", {}, stopped)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "a.mp3"


def test_a_player_hears_the_caller_left_and_the_callee_right(out: Path) -> None:
    made = encode(spoken(tone(440, 10), tone(1000, 10)), out)

    left, right = heard(out)[RATE : 9 * RATE].T
    assert (made.bytes, made.seconds) == (out.stat().st_size, 10.0)
    assert goertzel(left, 440) == pytest.approx(goertzel(right, 1000), abs=0.5)
    assert goertzel(left, 440) - goertzel(left, 1000) > 70
    assert goertzel(right, 1000) - goertzel(right, 440) > 70


def test_who_says_nothing_is_not_heard_on_his_side(out: Path) -> None:
    voice = np.random.default_rng(7).normal(0, 0.1, 10 * RATE)
    encode(spoken(voice, np.zeros(10 * RATE)), out)

    left, right = heard(out).T
    assert np.std(left) == pytest.approx(0.1, rel=0.1)
    assert np.max(np.abs(right)) < 1e-4


def test_every_frame_keeps_the_channels_apart_even_when_both_say_the_same(out: Path) -> None:
    voice = np.random.default_rng(7).normal(0, 0.1, 5 * RATE)
    encode(spoken(voice, voice), out)

    mp3 = after_tags(out.read_bytes())
    size = 72 * BIT_RATE // RATE  # ISO 11172-3, for the lower sample rates
    modes = {mp3[at + 3] >> 6 for at in range(0, len(mp3), size)}
    assert {mp3[at : at + 2] for at in range(0, len(mp3), size)} == {b"\xff\xe3"}
    assert modes == {0}  # stereo; joint stereo is 1


def after_tags(mp3: bytes) -> bytes:
    """Without the ID3 tag before the frames; its size has seven bits a byte."""
    assert mp3[:3] == b"ID3"
    size = sum(byte << shift for byte, shift in zip(mp3[6:10], (21, 14, 7, 0), strict=True))
    return mp3[10 + size :]


def test_no_sound_is_a_second_of_silence(out: Path) -> None:
    made = encode(spoken(np.zeros(0), np.zeros(0)), out)

    assert made.seconds == 1.0
    assert np.max(np.abs(heard(out))) < 0.001


def test_one_sample_is_audio(out: Path) -> None:
    made = encode(spoken(np.ones(1), np.ones(1)), out)

    assert made.seconds == 1 / RATE
    assert heard(out).shape[1] == 2


def test_a_player_hears_it_from_the_beginning_and_finds_any_second(out: Path) -> None:
    """LAME's own beginning (138 ms) is told in the header, and left out by players."""
    second = np.arange(90 * RATE) // RATE
    encode(
        spoken(
            0.3 * np.sin(2 * np.pi * (200 + 10 * second) * np.arange(90 * RATE) / RATE),
            np.zeros(90 * RATE),
        ),
        out,
    )

    with av.open(str(out)) as player:
        assert player.duration == 90_000_000
        player.seek(61_000_000)
        frame = next(player.decode(audio=0))
        assert frame.time == pytest.approx(61, abs=0.15)
    left = heard(out)[:, 0]
    assert len(left) == 90 * RATE
    assert goertzel(left[61 * RATE : 62 * RATE], 810) > -15


def test_it_stops_when_it_is_no_longer_wanted(out: Path) -> None:
    asked: list[None] = []

    def stopped() -> bool:
        asked.append(None)
        return len(asked) > 1

    with pytest.raises(EncodingStopped):
        encode(spoken(tone(440, 20), tone(1000, 20)), out, stopped)

    assert not out.exists()


def test_what_the_encoder_refuses_has_failed_and_leaves_nothing(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_: int) -> lameenc.Encoder:
        encoder = lameenc.Encoder()
        encoder.silence()
        encoder.set_in_sample_rate(3)
        return encoder

    monkeypatch.setattr("trunkline.recordings.mp3._encoder", refuses)
    with pytest.raises(EncodingFailed):
        encode(spoken(tone(440, 1), tone(440, 1)), out)
    assert not out.exists()
    with pytest.raises(EncodingFailed):
        encoding.encode(Sound(3, iter([np.zeros((100, 2), np.int16)])), out, "opus", {})
    assert not out.exists()


def test_a_disk_that_refuses_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        encode(spoken(tone(440, 1), tone(440, 1)), tmp_path / "away" / "a.mp3")


async def test_the_event_loop_goes_on_while_it_encodes(out: Path) -> None:
    sound = spoken(tone(440, 600), tone(1000, 600))
    work = asyncio.create_task(asyncio.to_thread(encode, sound, out))
    beats = 0
    while not work.done():
        await asyncio.sleep(0.005)
        beats += 1

    assert (await work).seconds == 600.0
    assert beats > 10  # were Python's lock held, one or two


@pytest.mark.parametrize(
    ("format_", "container", "codec"),
    [("mp3", "mp3", "mp3float"), ("wav", "wav", "pcm_s16le"), ("opus", "ogg", "opus")],
)
@pytest.mark.parametrize("rate", [8000, 16000])
def test_each_format_has_length_sides_and_tags(
    tmp_path: Path, format_: RecordingFormat, container: str, codec: str, rate: int
) -> None:
    out = tmp_path / f"a.{format_}"
    times = np.arange(5 * rate) / rate
    both = np.stack([np.sin(2 * np.pi * 440 * times), np.sin(2 * np.pi * 1000 * times)], axis=1)
    sound = Sound(rate, iter([(both * 9000).astype(np.int16)]))

    encoding.encode(sound, out, format_, {"title": "0901 → alice", "artist": "0901"})

    with av.open(str(out)) as player:
        stream = player.streams.audio[0]
        told = {**player.metadata, **stream.metadata}
        assert (player.format.name.split(",")[0], stream.codec_context.name) == (container, codec)
        assert (told["title"], told["artist"]) == ("0901 → alice", "0901")
        sounds = [frame.to_ndarray() for frame in player.decode(audio=0)]
        found = stream.codec_context.sample_rate
    samples = np.concatenate(sounds, axis=1)
    left, right = samples if len(samples) == 2 else samples.reshape(-1, 2).T
    assert len(left) / found == pytest.approx(5, abs=0.01)
    assert loudest(left, found) == pytest.approx(440, abs=1)
    assert loudest(right, found) == pytest.approx(1000, abs=1)


def loudest(samples: NDArray[Any], rate: int) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples))


def test_memory_stays_flat_however_long_the_call(out: Path) -> None:
    eight = next(spoken(tone(440, 8), tone(1000, 8)).pieces)
    encode(Sound(RATE, iter([eight])), out)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    started = time.monotonic()
    made = encode(Sound(RATE, repeat(eight, 450)), out)

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert made.seconds == 3600.0
    assert made.bytes == pytest.approx(3600 * BIT_RATE / 8, rel=0.001)
    assert grown < 20_000  # KiB; the sound has 112,500
    assert time.monotonic() - started < 120
