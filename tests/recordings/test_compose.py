"""A recording's audio is put together as its plan says, whatever of the raw files there is.

The files are those of an engine of the version before; ``test_legs`` has what our recorder writes.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trunkline.calls.recording_plan import Composed, Part, RecordingPlan, Side, Source, WholeFile
from trunkline.recordings.compose import compose

from .audio import RATE, raw, tone

MS = 1000
"""Microseconds."""


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path


def write(spool: Path, name: str, own: float, told: float, seconds: float) -> None:
    """A raw file with a level on either side: it is found again by that."""
    count = round(seconds * RATE)
    (spool / f"{name}.raw").write_bytes(raw(np.full(count, own), np.full(count, told)))


def sound_of(plan: RecordingPlan, spool: Path) -> NDArray[np.int16]:
    with ExitStack() as opened:
        sound = compose(plan, lambda name: spool / f"{name}.raw", opened)
        assert sound.rate == RATE
        return np.concatenate(list(sound.pieces))


def composed(
    spool: Path, length: int, *parts: tuple[int, int, Side, tuple[Source, ...]]
) -> NDArray[np.float64]:
    plan = Composed(
        length=length * MS,
        parts=tuple(Part(at * MS, took * MS, side, sources) for at, took, side, sources in parts),
        files=tuple(dict.fromkeys(s.raw for *_, sources in parts for s in sources)),
        spent=(),
    )
    return sound_of(plan, spool) / 32767


def own(name: str, offset: int = 0) -> Source:
    return Source(name, "own", offset * MS)


def told(name: str, offset: int = 0) -> Source:
    return Source(name, "told", offset * MS)


def level(heard: NDArray[np.float64], start: int, end: int) -> tuple[float, float]:
    """What both sides have in those milliseconds, which must be the same throughout."""
    part = heard[start * RATE // 1000 : end * RATE // 1000]
    assert np.ptp(part, axis=0).max() == 0
    return round(float(part[0, 0]), 3), round(float(part[0, 1]), 3)


def test_who_has_no_file_is_heard_in_the_others(spool: Path) -> None:
    write(spool, "b", 0.2, 0.1, 1)
    heard = composed(
        spool, 1000, (0, 1000, "left", (own("a"), told("b"))), (0, 1000, "right", (own("b"),))
    )
    assert (len(heard), level(heard, 0, 1000)) == (RATE, (0.1, 0.2))


def test_parts_of_many_files_follow_each_other_without_a_seam(spool: Path) -> None:
    write(spool, "a", 0.1, 0, 3)
    write(spool, "b", 0.2, 0, 1)
    write(spool, "c", 0.3, 0, 2)
    heard = composed(
        spool,
        3000,
        (0, 3000, "left", (own("a"),)),
        (0, 1000, "right", (own("b"),)),
        (1000, 2000, "right", (own("c"),)),
    )
    assert level(heard, 0, 1000) == (0.1, 0.2)
    assert level(heard, 1000, 3000) == (0.1, 0.3)


def test_a_file_is_read_from_where_the_part_begins(spool: Path) -> None:
    ramp = np.arange(2 * RATE) / (2 * RATE)
    (spool / "a.raw").write_bytes(raw(ramp, -ramp))
    heard = composed(
        spool, 500, (0, 500, "left", (own("a", 1000),)), (0, 500, "right", (told("a", 1000),))
    )
    assert heard[0] == pytest.approx([0.5, -0.5], abs=1e-4)
    assert heard[-1] == pytest.approx([0.75, -0.75], abs=1e-3)


def test_what_no_file_holds_is_silence_so_the_length_is_the_plans(spool: Path) -> None:
    write(spool, "a", 0.1, 0, 0.5)
    heard = composed(spool, 2000, (0, 2000, "left", (own("a"),)), (0, 2000, "right", (own("b"),)))
    assert len(heard) == 2 * RATE
    assert (level(heard, 0, 500), level(heard, 500, 2000)) == ((0.1, 0), (0, 0))


def test_a_file_that_ends_too_early_gives_way_to_one_that_goes_on(spool: Path) -> None:
    write(spool, "a", 0.1, 0, 0.5)
    write(spool, "b", 0, 0.2, 3)
    heard = composed(spool, 500, (0, 500, "left", (own("a", 1000), told("b", 1000))))
    assert level(heard, 0, 500) == (0.2, 0)


def test_voices_on_one_side_are_heard_together_and_do_not_turn_over(spool: Path) -> None:
    for name, loud in (("b", 0.7), ("c", 0.6), ("d", -0.1)):
        write(spool, name, loud, 0, 1)
    heard = composed(
        spool,
        1000,
        (0, 1000, "right", (own("b"),)),
        (250, 250, "right", (own("d"),)),
        (500, 500, "right", (own("c"),)),
    )
    levels = [level(heard, start, start + 250)[1] for start in (0, 250, 500)]
    assert levels == [0.7, pytest.approx(0.6, abs=0.001), 1.0]


def test_it_is_the_same_however_long_it_is(spool: Path) -> None:
    """A piece has eight seconds: no seam is heard between them."""
    (spool / "a.raw").write_bytes(raw(tone(440, 20), tone(1000, 20)))
    heard = composed(
        spool, 20_000, (0, 20_000, "left", (own("a"),)), (0, 20_000, "right", (told("a"),))
    )
    assert np.array_equal(np.rint(heard * 32767), sound_of(WholeFile("a"), spool))


def test_a_whole_file_that_is_not_there_is_an_error(spool: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sound_of(WholeFile("a"), spool)
