"""The follower of the engine's log: every record once, whatever stands in it and whoever cuts it."""

from __future__ import annotations

import asyncio
import csv
import errno
import io
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from log_writer import append, record

from trunkline.calls.cel import CelRow
from trunkline.engine.listen import log_follower
from trunkline.engine.listen.log_follower import LogFollower, Taken

Numbers = list[int]


def row(number: int, **fields: str) -> list[str]:
    values = {"event": "ANSWER", "time": f"1700000000.{number:06d}", "unique_id": str(number)}
    return [{**values, **fields}.get(name, "") for name in CelRow._fields]


def written(*rows: list[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8", "surrogateescape")


def numbers(taken: Taken | None) -> Numbers:
    return [int(each.unique_id) for each in taken.rows] if taken else []


def everything(follower: LogFollower) -> tuple[Numbers, int]:
    """All that can be read now, and how many records were skipped."""
    found, skipped = [], 0
    while taken := follower.read():
        found += numbers(taken)
        skipped += taken.skipped
    return found, skipped


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log" / "cel.csv"


@pytest.fixture
def follower(file: Path) -> LogFollower:
    return LogFollower(file, None)


# ---- What may stand in a record --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "line\nbreak",
        "\n",
        'quote " and "" more"',
        "back\\slash\\",
        "a,b,,c",
        "carriage\rreturn\r\n",
        '","',
        '\n"ANSWER","1700000000.1","',
        '"HANGUP","1700000000.123456","x"',
        "Nguyễn Văn Ân 🎧",
        "",
    ],
)
def test_any_text_comes_back_as_it_was(name: str, file: Path, follower: LogFollower) -> None:
    file.write_bytes(written(row(1, name=name), row(2)))
    taken = follower.read()
    assert taken is not None
    assert [each.name for each in taken.rows] == [name, ""]
    assert taken.skipped == 0


def test_nul_and_bad_utf8_are_replaced(file: Path, follower: LogFollower) -> None:
    file.write_bytes(written(row(1, name="a\0b\udcff")) + written(row(2)))
    taken = follower.read()
    assert taken is not None
    assert [each.name for each in taken.rows] == ["a\ufffdb\ufffd", ""]


@given(st.lists(st.text(max_size=12), min_size=1, max_size=6))
def test_hostile_names_are_read_back(tmp_path_factory: pytest.TempPathFactory, names: list[str]):
    path = tmp_path_factory.mktemp("cel") / "cel.csv"
    names = [name.encode("utf-8", "replace").decode().replace("\0", "") for name in names]
    path.write_bytes(written(*(row(n, name=name) for n, name in enumerate(names))))
    taken = LogFollower(path, None).read()
    assert taken is not None
    assert [each.name for each in taken.rows] == names


@given(st.binary(max_size=200))
def test_no_bytes_can_make_it_raise(tmp_path_factory: pytest.TempPathFactory, raw: bytes):
    path = tmp_path_factory.mktemp("cel") / "cel.csv"
    path.write_bytes(raw)
    follower = LogFollower(path, None)
    everything(follower)
    append(str(path), b"\n" + record(7) + record(8))
    found, _ = everything(follower)
    assert found[-2:] == [7, 8]


def test_a_field_of_many_megabytes_stops_nothing(file: Path, follower: LogFollower) -> None:
    file.write_bytes(written(row(1, name='x"\n' * 700_000)) + written(row(2)))
    assert everything(follower)[0] == [2]


def test_a_log_longer_than_one_read(file: Path, follower: LogFollower) -> None:
    file.write_bytes(b"".join(record(n) for n in range(5000)))
    assert everything(follower) == (list(range(5000)), 0)


# ---- Records that are not whole --------------------------------------------------------------------


@given(st.data())
def test_a_half_written_record_is_waited_for(tmp_path_factory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("cel") / "cel.csv"
    raw = record(1)
    cut = data.draw(st.integers(0, len(raw) - 1))
    path.write_bytes(record(0) + raw[:cut])
    follower = LogFollower(path, None)
    assert everything(follower) == ([0], 0)
    append(str(path), raw[cut:])
    assert everything(follower) == ([1], 0)


@given(st.data())
def test_a_record_cut_for_ever_costs_only_itself(tmp_path_factory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("cel") / "cel.csv"
    raw = record(1)
    cut = data.draw(st.integers(1, len(raw) - 2))
    path.write_bytes(record(0) + raw[:cut])
    follower = LogFollower(path, None)
    assert everything(follower) == ([0], 0)
    append(str(path), record(2))
    found, skipped = everything(follower)
    append(str(path), record(3))
    more, skipped_later = everything(follower)
    append(str(path), record(4))
    assert found + more + numbers(follower.read()) == [2, 3, 4]
    assert skipped + skipped_later == 1


@given(st.data())
def test_two_cuts_in_one_read(tmp_path_factory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("cel") / "cel.csv"
    first, second = (data.draw(st.integers(1, len(record(1)) - 2)) for _ in range(2))
    parts = [record(0), record(1)[:first], record(2), record(3), record(4)[:second], record(5)]
    path.write_bytes(b"".join([*parts, record(6)]))
    assert everything(LogFollower(path, None)) == ([0, 2, 3, 5, 6], 2)


def test_a_record_cut_for_ever_does_not_count_as_behind(file: Path, follower: LogFollower) -> None:
    file.write_bytes(record(0) + record(1)[:40])
    assert follower.behind() > 0
    everything(follower)
    assert follower.behind() == 0
    append(str(file), record(2))
    assert follower.behind() > 0
    everything(follower)
    assert follower.behind() == 0


def test_who_follows_is_no_sign_of_the_engines_life(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(record(0))
    os.utime(file, (1_700_000_000, 1_700_000_000))
    LogFollower(file, None).read()
    assert file.stat().st_mtime == 1_700_000_000


@pytest.mark.parametrize(
    "bad",
    [
        written(row(1)[:-2]),
        written([*row(1), "more"]),
        written(row(1, time="")),
        written(row(1, time="²")),
        written(row(1, event="")),
    ],
)
def test_a_record_that_is_no_row_is_skipped_and_counted(bad, file, follower) -> None:
    file.write_bytes(record(0) + bad + record(2))
    assert everything(follower) == ([0, 2], 1)


# ---- Positions, truncation, rotation -----------------------------------------------------------------


def test_it_goes_on_from_any_position(file: Path, follower: LogFollower) -> None:
    file.write_bytes(record(0))
    first = follower.read()
    append(str(file), record(1) + record(2))
    assert first is not None
    assert everything(LogFollower(file, first.position)) == ([1, 2], 0)


def test_a_log_that_was_cut_short_is_read_from_its_beginning(file, follower) -> None:
    file.write_bytes(record(0) + record(1))
    everything(follower)
    with file.open("r+b") as log:
        log.truncate(0)
    assert follower.read() is None
    append(str(file), record(2))
    assert everything(follower) == ([2], 0)


def test_another_file_is_read_from_its_beginning(file: Path, follower: LogFollower) -> None:
    file.write_bytes(record(0))
    everything(follower)
    file.rename(file.with_name("elsewhere"))
    assert follower.read() is None
    append(str(file), record(1))
    assert everything(follower) == ([1], 0)


def test_what_came_late_to_a_log_set_aside_is_read_first(file, follower, monkeypatch) -> None:
    monkeypatch.setattr(log_follower, "_ROTATE_AT", 1)
    file.write_bytes(record(0))
    everything(follower)
    follower._rotate()
    append(str(file.with_suffix(".csv.1")), record(1))
    append(str(file), record(2))
    assert follower.behind() == len(record(1)) + len(record(2))
    assert everything(follower) == ([1, 2], 0)
    assert follower.behind() == 0


def test_a_kill_amid_a_rotation_loses_nothing(file, follower, monkeypatch) -> None:
    file.write_bytes(record(0))
    taken = follower.read()
    assert taken is not None
    append(str(file), record(1))
    file.rename(file.with_suffix(".csv.1"))
    killed = LogFollower(file, taken.position)
    append(str(file), record(2))
    assert everything(killed) == ([1, 2], 0)


def test_a_log_set_aside_with_a_cut_record_does_not_hold_up(file, follower, monkeypatch) -> None:
    monkeypatch.setattr(log_follower, "_ROTATE_AT", 1)
    file.write_bytes(record(0) + record(1)[:30])
    everything(follower)
    follower._rotate()
    assert everything(follower) == ([], 0)
    assert follower.behind() == 0
    append(str(file), record(2))
    assert everything(follower) == ([2], 0)
    assert follower.behind() == 0


async def collected(file: Path, count: int, lives: int) -> Numbers:
    """Follow until record ``count - 1``; each life goes on from the last one's position."""
    found: Numbers = []
    position = None
    for life in range(1, lives + 1):
        async for taken in LogFollower(file, position).follow():
            if taken is None:
                continue
            found += numbers(taken)
            position = taken.position
            if len(found) >= count * life / lives:
                break
    return found


@pytest.mark.parametrize("rotate_at", [1, 5_000, 1 << 30])
async def test_nothing_is_lost_while_a_writer_appends(rotate_at, file, monkeypatch) -> None:
    monkeypatch.setattr(log_follower, "_ROTATE_AT", rotate_at)
    count = 2000
    file.parent.mkdir()
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("log_writer.py")),
        str(file),
        str(count),
        "0.0003",
    )
    async with asyncio.timeout(60):
        found = await collected(file, count, lives=5)
    assert await writer.wait() == 0
    assert found == list(range(count))


async def test_a_machine_without_inotify_is_followed_all_the_same(follower, file, monkeypatch):
    def none_left() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(log_follower, "Inotify", none_left)
    parts = follower.follow()
    assert await anext(parts) is None
    file.write_bytes(written(row(7)))
    async with asyncio.timeout(10):
        got = numbers(await anext(parts))
    await parts.aclose()
    assert got == [7]


async def test_a_log_that_cannot_be_opened_is_tried_again(
    file: Path, follower: LogFollower, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many open files, for a while."""
    monkeypatch.setattr(log_follower, "_AGAIN", 0.01)
    append(file, written(row(1)))
    tries, opens = iter(range(3)), Path.open

    def failing(path: Path, *arguments: str) -> object:
        if next(tries, None) is not None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return opens(path, *arguments)

    monkeypatch.setattr(Path, "open", failing)
    async with asyncio.timeout(20):
        async for taken in follower.follow():
            assert numbers(taken) == [1]
            break
    assert next(tries, None) is None
