"""What a leg's far end sent stands in the recording at its time, whatever the network did to it."""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from trunkline.calls.recording_plan import Composed, Part, Source
from trunkline.recordings.compose import compose
from trunkline.recordings.leg_file import has_voice

from .audio import RATE, goertzel, tone
from .legs import NOW, STEP, Mark, Packet, spoken, write

S = 1_000_000


def talk(folder: Path, seconds: float, *, begin: int = 0) -> NDArray[np.float64]:
    """Left of a recording of leg ``a`` from ``begin`` on, -1 to 1."""
    length = round(seconds * S)
    source = Source("a", "own", 0, NOW + begin)
    plan = Composed(length, (Part(0, length, "left", (source,)),), ("a",), ("a",))
    with ExitStack() as opened:
        sound = compose(plan, lambda name: folder / f"{name}.leg", opened)
        assert sound.rate == RATE
        return np.concatenate(list(sound.pieces))[:, 0] / 32767


def snr(heard: NDArray[np.float64], said: NDArray[np.float64]) -> float:
    return float(10 * np.log10((said**2).sum() / (((heard - said) ** 2).sum() + 1e-12)))


def late(packets: list[Packet], by: list[float]) -> list[Packet]:
    """The packets as a network delivers them that holds each up by so many seconds."""
    return [
        msgspec.structs.replace(each, at=each.at + round(held * S))
        for each, held in zip(packets, by, strict=True)
    ]


def test_sound_is_where_it_was_said(tmp_path: Path) -> None:
    said = tone(440, 20)
    write(tmp_path / "a.leg", spoken(said))
    assert snr(talk(tmp_path, 20), said) > 35


def test_silence_without_packets_keeps_its_time(tmp_path: Path) -> None:
    first, last = tone(440, 5), tone(620, 5)
    write(tmp_path / "a.leg", [*spoken(first), *spoken(last, begin=40 * S, ts=41_000)])
    heard = talk(tmp_path, 45)
    assert snr(heard[: 5 * RATE], first) > 35
    assert not heard[5 * RATE : 40 * RATE].any()
    assert snr(heard[40 * RATE :], last) > 35


@pytest.mark.parametrize("stopped", [0, 7000, 2**32 - 5])
def test_timestamps_that_stop_or_begin_anew_do_not_move_what_follows(
    tmp_path: Path, stopped: int
) -> None:
    first, last = tone(440, 5), tone(620, 5)
    ts = stopped or 1000 + 5000
    write(tmp_path / "a.leg", [*spoken(first), *spoken(last, begin=10 * S, ts=ts)])
    heard = talk(tmp_path, 15)
    assert snr(heard[: 5 * RATE], first) > 35
    assert snr(heard[10 * RATE :], last) > 35


def test_jitter_and_another_order_change_nothing(tmp_path: Path) -> None:
    times, chance = np.arange(30 * RATE) / RATE, random.Random(7)
    said = 0.3 * np.sin(2 * np.pi * (300 + 40 * times) * times)
    packets = spoken(said)
    write(tmp_path / "a.leg", late(packets, [chance.uniform(0, 0.06) for _ in packets]))
    heard = talk(tmp_path, 30)
    moved = max(range(-320, 321), key=lambda by: snr(np.roll(heard, by)[800:-800], said[800:-800]))
    assert abs(moved) <= 0.02 * RATE
    assert snr(np.roll(heard, moved)[800:-800], said[800:-800]) > 35


def test_packets_that_are_lost_are_silence_and_shorten_nothing(tmp_path: Path) -> None:
    said, chance = tone(440, 30), random.Random(8)
    there = [chance.random() > 0.05 for _ in range(1500)]
    packets = [packet for packet, came in zip(spoken(said), there, strict=True) if came]
    write(tmp_path / "a.leg", packets)
    heard = talk(tmp_path, 30)
    assert snr(heard, said * np.repeat(there, 160)) > 35


def test_a_packet_that_comes_twice_is_heard_once(tmp_path: Path) -> None:
    said = tone(440, 2)
    packets = spoken(said)
    write(tmp_path / "a.leg", [*packets, *late(packets, [0.03] * len(packets))])
    assert snr(talk(tmp_path, 2), said) > 35


def test_a_second_that_comes_at_once_is_heard_as_it_was_said(tmp_path: Path) -> None:
    said = tone(440, 10)
    packets = spoken(said)
    held = [max(0.0, 5.5 - n * 0.02) if 4.5 <= n * 0.02 < 5.5 else 0.0 for n in range(500)]
    write(tmp_path / "a.leg", late(packets, held))
    assert snr(talk(tmp_path, 10), said) > 35


def test_another_source_follows_without_a_click(tmp_path: Path) -> None:
    """Its timestamps are its own, and its first packets a few milliseconds late."""
    said = tone(440, 10)
    first, second = spoken(said)[:250], spoken(said, ts=77_000_000)[250:]
    write(tmp_path / "a.leg", [*first, *late(second, [0.003] * 250)])
    assert snr(talk(tmp_path, 10), said) > 35


WRONG = {
    "by another clock": lambda n: n * 40,  # G.722 by 16 kHz
    "by half of a clock": lambda n: n * 10,
    "by the time of longer packets": lambda n: n * 30,
    "not at all": lambda n: 0,
    "for two packets at once": lambda n: n // 2 * 40,
    "by a clock that trembles": lambda n: n * 20 + (3, 0, 1, -2, 2)[n % 5],
}


@pytest.mark.parametrize("way", WRONG)
def test_timestamps_that_a_sender_counts_wrongly_garble_nothing(tmp_path: Path, way: str) -> None:
    """With a pause, of which such timestamps do not tell either, and with packets out of order."""
    first, last, stamp = tone(440, 8), tone(620, 8), WRONG[way]
    packets = [
        msgspec.structs.replace(each, ts=5000 + stamp(n), seq=65_400 + n)
        for n, each in enumerate([*spoken(first), *spoken(last, begin=11 * S)])
    ]
    write(tmp_path / "a.leg", late(packets, [0.025 * (n % 7 == 0) for n in range(len(packets))]))
    heard = talk(tmp_path, 19)
    assert snr(heard[: 8 * RATE - 200], first[:-200]) > 20
    assert not heard[8 * RATE + 200 : 11 * RATE - 200].any()
    assert snr(heard[11 * RATE + 200 :], last[200:]) > 20


def test_sequence_numbers_that_begin_anew_do_not_move_what_follows(tmp_path: Path) -> None:
    """Although the timestamps go on: a carrier that hands a call over within itself."""
    said = tone(440, 10)
    packets = [
        msgspec.structs.replace(each, seq=30_000 + n if n < 250 else n)
        for n, each in enumerate(spoken(said))
    ]
    write(tmp_path / "a.leg", packets)
    assert snr(talk(tmp_path, 10), said) > 35


def test_a_slow_clock_is_followed(tmp_path: Path) -> None:
    """300 parts in a million: a second an hour."""
    packets = spoken(tone(440, 600))
    write(tmp_path / "a.leg", late(packets, [n * 0.02 * 3e-4 for n in range(len(packets))]))
    heard = talk(tmp_path, 600)
    assert np.abs(heard[int(599.9 * RATE) : 600 * RATE]).max() > 0.2
    silent = np.abs(heard).reshape(-1, 80).max(axis=1) < 0.01
    assert silent.sum() * 0.01 < 0.25


def test_who_holds_is_not_heard(tmp_path: Path) -> None:
    write(tmp_path / "a.leg", [*spoken(tone(440, 6)), Mark(2 * S, "H"), Mark(4 * S, "U")])
    heard = talk(tmp_path, 6)
    assert [heard[at * RATE + 400 : (at + 1) * RATE - 400].any() for at in range(6)] == [
        True, True, False, False, True, True,
    ]  # fmt: skip


def test_a_recording_may_begin_amid_a_leg(tmp_path: Path) -> None:
    said = tone(440, 20)
    write(tmp_path / "a.leg", spoken(said))
    assert snr(talk(tmp_path, 3, begin=9 * S), said[9 * RATE : 12 * RATE]) > 35


def test_pieces_have_no_seam_wherever_a_part_begins(tmp_path: Path) -> None:
    """A recording is made in pieces of eight seconds, and parts begin at any microsecond."""
    said = tone(440, 30)
    write(tmp_path / "a.leg", spoken(said))
    for begin in (1_000_001, 1_000_062, 1_000_063, 1_000_124):
        first, second = Source("a", "own", 0, NOW), Source("a", "own", 0, NOW + begin + 777_777)
        plan = Composed(
            21_000_000,
            (Part(0, begin, "left", (first,)), Part(begin, 20_000_000 - begin, "left", (second,))),
            ("a",),
            (),
        )
        with ExitStack() as opened:
            sound = compose(plan, lambda name: tmp_path / f"{name}.leg", opened)
            heard = np.concatenate(list(sound.pieces))[:, 0] / 32767
        start = begin * RATE // S + 2
        skipped = (begin + 777_777) * RATE // S - begin * RATE // S
        shown = heard[start : 20 * RATE - 2]
        off = max(
            range(-2, 3), key=lambda by: snr(shown, said[start + skipped + by :][: len(shown)])
        )
        assert snr(shown, said[start + skipped + off :][: len(shown)]) > 35


def test_a_file_whose_end_is_missing_is_heard_up_to_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.leg", spoken(tone(440, 2)))
    path.write_bytes(path.read_bytes()[:-100])
    heard = talk(tmp_path, 2)
    assert heard[int(1.9 * RATE) : int(1.96 * RATE)].any()
    assert not heard[int(1.98 * RATE) :].any()


@pytest.mark.parametrize("content", [b"", b"TLLEG001", b"TLLEG001" + bytes(20), b"what is this"])
def test_a_file_without_a_packet_is_silence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.leg").write_bytes(content)
    assert not talk(tmp_path, 2).any()


def test_a_file_has_voice_once_a_packet_is_in_it(tmp_path: Path) -> None:
    marks = [Mark(n * STEP, "H") for n in range(3)]
    silent = write(tmp_path / "silent.leg", marks)
    speaking = write(tmp_path / "speaking.leg", [*marks, *spoken(tone(440, 1))])
    assert [has_voice(silent), has_voice(speaking)] == [False, True]


def test_a_wideband_leg_makes_a_wideband_recording(tmp_path: Path) -> None:
    """G.722 is 160 bytes a packet, too; here 16 kHz linear stands for it, whose samples are known."""
    wide = (0.3 * np.sin(2 * np.pi * 5000 * np.arange(2 * 16000) / 16000) * 32767).astype("<i2")
    packets = [
        Packet(n * STEP, 1000 + n * 20, wide[n * 320 : n * 320 + 320].tobytes(), 320, seq=n)
        for n in range(100)
    ]
    write(tmp_path / "a.leg", packets, "slin16")
    write(tmp_path / "b.leg", spoken(tone(440, 2)))
    plan = Composed(
        2 * S,
        (
            Part(0, 2 * S, "left", (Source("a", "own", 0, NOW),)),
            Part(0, 2 * S, "right", (Source("b", "own", 0, NOW),)),
        ),
        ("a", "b"),
        (),
    )
    with ExitStack() as opened:
        sound = compose(plan, lambda name: tmp_path / f"{name}.leg", opened)
        left, right = np.concatenate(list(sound.pieces)).T / 32767
    assert (sound.rate, len(left)) == (16000, 2 * 16000)
    assert np.array_equal(left, wide / 32767)
    assert snr(right, 0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * 16000) / 16000)) > 25
    assert goertzel(right[::2], 440) > -14
