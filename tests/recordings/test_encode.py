from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import lameenc
import numpy as np
import pytest

from trunkline.calls.recording_plan import WholeFile
from trunkline.recordings import encode as encoding
from trunkline.recordings.compose import pieces
from trunkline.recordings.encode import (
    BIT_RATE,
    EncodingFailed,
    EncodingStopped,
    encode,
)

from .audio import RATE, goertzel, heard, raw, tone


def frames(source: Path) -> Iterator[bytes]:
    return pieces(WholeFile(source.stem), source.with_stem)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "a.raw"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "a.mp3"


def test_a_player_hears_the_caller_left_and_the_callee_right(source: Path, out: Path) -> None:
    source.write_bytes(raw(tone(440, 10), tone(1000, 10)))

    made = encode(frames(source), out)

    left, right = heard(out)[RATE : 9 * RATE].T
    assert (made.bytes, made.seconds) == (out.stat().st_size, 10.0)
    assert goertzel(left, 440) == pytest.approx(goertzel(right, 1000), abs=0.5)
    assert goertzel(left, 440) - goertzel(left, 1000) > 70
    assert goertzel(right, 1000) - goertzel(right, 440) > 70


def test_who_says_nothing_is_not_heard_on_his_side(source: Path, out: Path) -> None:
    voice = np.random.default_rng(7).normal(0, 0.1, 10 * RATE)
    source.write_bytes(raw(voice, np.zeros(10 * RATE)))

    encode(frames(source), out)

    left, right = heard(out).T
    assert np.std(left) == pytest.approx(0.1, rel=0.1)
    assert np.max(np.abs(right)) < 1e-4


def test_every_frame_keeps_the_channels_apart_even_when_both_say_the_same(
    source: Path, out: Path
) -> None:
    voice = np.random.default_rng(7).normal(0, 0.1, 5 * RATE)
    source.write_bytes(raw(voice, voice))

    encode(frames(source), out)

    mp3 = out.read_bytes()
    size = 72 * BIT_RATE // RATE  # ISO 11172-3, for the lower sample rates
    modes = {mp3[at + 3] >> 6 for at in range(0, len(mp3), size)}
    assert {mp3[at : at + 2] for at in range(0, len(mp3), size)} == {b"\xff\xe3"}
    assert modes == {0}  # stereo; joint stereo is 1


def test_a_sample_cut_off_at_the_end_is_dropped(source: Path, out: Path) -> None:
    whole = raw(tone(440, 2), tone(1000, 2))
    source.write_bytes(whole + b"\x01\x02\x03")

    made = encode(frames(source), out)

    assert made.seconds == 2.0
    assert goertzel(heard(out)[RATE // 2 : RATE * 3 // 2, 0], 440) > -15


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02"])
def test_no_whole_sample_is_a_second_of_silence(source: Path, out: Path, content: bytes) -> None:
    source.write_bytes(content)

    made = encode(frames(source), out)

    assert made.seconds == 1.0
    assert np.max(np.abs(heard(out))) < 0.001


def test_one_sample_is_audio(source: Path, out: Path) -> None:
    source.write_bytes(b"\x00\x01\x02\x03")

    made = encode(frames(source), out)

    assert made.seconds == 1 / RATE
    assert heard(out).shape[1] == 2


def test_it_stops_when_it_is_no_longer_wanted(source: Path, out: Path) -> None:
    source.write_bytes(raw(tone(440, 20), tone(1000, 20)))
    asked: list[None] = []

    def stopped() -> bool:
        asked.append(None)
        return len(asked) > 1

    with pytest.raises(EncodingStopped):
        encode(frames(source), out, stopped)

    assert not out.exists()


def test_what_lame_refuses_has_failed_and_leaves_nothing(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.write_bytes(b"\x00" * 400)
    broken = lameenc.Encoder()
    broken.silence()
    broken.set_in_sample_rate(3)
    monkeypatch.setattr(encoding, "_encoder", lambda: broken)

    with pytest.raises(EncodingFailed):
        encode(frames(source), out)

    assert not out.exists()


async def test_the_event_loop_goes_on_while_it_encodes(source: Path, out: Path) -> None:
    await asyncio.to_thread(source.write_bytes, raw(tone(440, 600), tone(1000, 600)))
    work = asyncio.create_task(asyncio.to_thread(encode, frames(source), out))
    beats = 0
    while not work.done():
        await asyncio.sleep(0.005)
        beats += 1

    assert (await work).seconds == 600.0
    assert beats > 10  # were Python's lock held, one or two


def test_memory_stays_flat_however_long_the_call(source: Path, out: Path) -> None:
    second = raw(tone(440, 1), tone(1000, 1))
    with source.open("wb") as file:
        for _ in range(3600):
            file.write(second)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    started = time.monotonic()
    made = encode(frames(source), out)

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert made.seconds == 3600.0
    assert made.bytes == pytest.approx(3600 * BIT_RATE / 8, rel=0.001)
    assert grown < 20_000  # KiB; the raw file has 112,500
    assert time.monotonic() - started < 120
