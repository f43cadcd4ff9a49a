"""The contract of a store of recordings, on every implementation."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from trunkline.recordings.disk import DiskStore
from trunkline.recordings.objects import ObjectStore
from trunkline.recordings.port import RecordingMissing, Store

NAME = "call_recording_0a1b2c-3.mp3"
MIB = 1024 * 1024

IMPLEMENTATIONS: dict[str, Callable[[Path], Store]] = {
    "disk": lambda folder: DiskStore(folder / "recordings"),
    "memory": lambda folder: ObjectStore(MemoryStore()),
}

NAMES_OF_NO_RECORDING = [
    "",
    ".",
    "..",
    "call_recording_.mp3",
    "call_recording_a.mp3\n",
    "call_recording_a.mp3/",
    "call_recording_a.mp3\x00",
    "call_recording_a.ogg",
    "call_recording_a b.mp3",
    "call_recording_é.mp3",
    "call_recording_../../etc/passwd.mp3",
    "../call_recording_a.mp3",
    "/etc/passwd",
    "%2e%2e/call_recording_a.mp3",
    "incoming/call_recording_a.mp3",
    f"call_recording_{'a' * 81}.mp3",
]


@pytest.fixture(params=IMPLEMENTATIONS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return IMPLEMENTATIONS[request.param](tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / f"source-{random.getrandbits(64)}"
        path.write_bytes(content)
        return path

    return write


File = Callable[[bytes], Path]


async def read(store: Store, name: str, start: int = 0, end: int | None = None) -> bytes:
    end = await store.size(name) if end is None else end
    return b"".join([piece async for piece in store.stream(name, start, end)])


def listing(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


async def test_what_was_put_is_there(store: Store, file: File) -> None:
    source = file(b"ID3 and so on")

    await store.put(NAME, source)

    assert await store.size(NAME) == 13
    assert await read(store, NAME) == b"ID3 and so on"
    assert source.read_bytes() == b"ID3 and so on"


async def test_names_keep_apart(store: Store, file: File) -> None:
    await store.put("call_recording_a.mp3", file(b"a"))
    await store.put("call_recording_A.mp3", file(b"A"))

    assert await read(store, "call_recording_a.mp3") == b"a"
    assert await read(store, "call_recording_A.mp3") == b"A"


async def test_the_longest_name_fits(store: Store, file: File) -> None:
    name = f"call_recording_{'a' * 80}.mp3"

    await store.put(name, file(b"long"))

    assert await read(store, name) == b"long"


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [(0, 10, b"0123456789"), (0, 1, b"0"), (9, 10, b"9"), (3, 7, b"3456"), (4, 4, b"")],
)
async def test_a_part_is_read(
    store: Store, file: File, start: int, end: int, wanted: bytes
) -> None:
    await store.put(NAME, file(b"0123456789"))

    assert await read(store, NAME, start, end) == wanted


async def test_a_long_one_comes_in_pieces(store: Store, file: File) -> None:
    content = random.Random(1).randbytes(12 * MIB + 5)
    await store.put(NAME, file(content))

    pieces = [piece async for piece in store.stream(NAME, 1, len(content) - 1)]

    assert b"".join(pieces) == content[1:-1]
    assert max(map(len, pieces)) <= MIB or not isinstance(store, DiskStore)


async def test_a_newer_one_takes_the_place_of_the_older(store: Store, file: File) -> None:
    await store.put(NAME, file(b"the longer old one"))
    await store.put(NAME, file(b"new"))

    assert await store.size(NAME) == 3
    assert await read(store, NAME) == b"new"


async def test_a_reader_never_gets_a_part_of_a_newer_one(store: Store, file: File) -> None:
    old, new = b"o" * 4 * MIB, b"n" * 4 * MIB
    await store.put(NAME, file(old))

    reading = store.stream(NAME, 0, len(old))
    assert set(await anext(reading)) == {ord("o")}
    await store.put(NAME, file(new))
    with pytest.raises(RecordingMissing):
        await anext(reading)


async def test_who_reads_slowly_keeps_no_file_open(file: File, tmp_path: Path) -> None:
    """Two hundred who did had 200 files and 190 MB, and 50 MB each were read for those who had left."""
    store = IMPLEMENTATIONS["disk"](tmp_path)
    await store.put(NAME, file(b"x" * MIB))
    before = len(os.listdir("/proc/self/fd"))
    readers = [store.stream(NAME, 0, MIB) for _ in range(50)]
    for reader in readers:
        assert len(await anext(reader)) <= 65_536
    assert len(os.listdir("/proc/self/fd")) < before + 10


async def test_of_two_at_once_one_stays_whole(store: Store, file: File) -> None:
    contents = [bytes([65 + n]) * 6 * MIB for n in range(4)]

    await asyncio.gather(*(store.put(NAME, file(content)) for content in contents))

    assert await read(store, NAME) in contents


async def test_what_is_not_there_is_missing(store: Store) -> None:
    with pytest.raises(RecordingMissing):
        await store.size(NAME)
    with pytest.raises(RecordingMissing):
        await read(store, NAME, 0, 1)
    with pytest.raises(RecordingMissing):
        await read(store, NAME, 0, 0)


async def test_what_was_deleted_is_missing(store: Store, file: File) -> None:
    await store.put(NAME, file(b"x"))

    await store.delete(NAME)
    await store.delete(NAME)

    with pytest.raises(RecordingMissing):
        await store.size(NAME)


@pytest.mark.parametrize("name", NAMES_OF_NO_RECORDING)
async def test_no_recording_has_such_a_name(
    store: Store, file: File, name: str, tmp_path: Path
) -> None:
    source = file(b"x")
    before = listing(tmp_path)

    with pytest.raises(ValueError, match="not a recording's name"):
        await store.put(name, source)
    with pytest.raises(RecordingMissing):
        await store.size(name)
    with pytest.raises(RecordingMissing):
        await read(store, name, 0, 1)
    await store.delete(name)

    assert listing(tmp_path) == before


async def test_a_file_that_is_gone_is_said_and_the_old_one_stays(
    store: Store, file: File, tmp_path: Path
) -> None:
    await store.put(NAME, file(b"old"))

    with pytest.raises(OSError):
        await store.put(NAME, tmp_path / "never-written")

    assert await read(store, NAME) == b"old"


# ---- The disk alone ----


async def test_on_disk_it_is_a_plain_file_under_its_name(file: File, tmp_path: Path) -> None:
    root = tmp_path / "recordings"
    store = DiskStore(root)

    await store.put(NAME, file(b"x" * 6 * MIB))

    assert sorted(entry.name for entry in root.rglob("*") if entry.is_file()) == [NAME]
    assert (root / NAME).stat().st_size == 6 * MIB


async def test_left_overs_of_a_crash_are_cleared_after_a_day(file: File, tmp_path: Path) -> None:
    root = tmp_path / "recordings"
    store = DiskStore(root)
    old, young = root / "incoming" / f"{NAME}.00#1", root / "incoming" / f"{NAME}.01#1"
    old.write_bytes(b"x")
    young.write_bytes(b"x")
    os.utime(old, (time.time() - 90_000,) * 2)

    await store.put(NAME, file(b"x"))

    assert (old.exists(), young.exists()) == (False, True)


async def test_what_takes_its_name_meanwhile_is_in_nobodys_way(
    file: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many are put at a time: what one of them has seen in incoming may be gone when it looks closer."""
    root, look = tmp_path / "recordings", os.scandir
    store = DiskStore(root)
    (root / "incoming" / f"{NAME}.00#1").write_bytes(b"x")

    def seen(path: Path) -> Iterator[os.DirEntry[str]]:
        found = list(look(path))
        for entry in found:
            os.unlink(entry.path)
        return iter(found)

    monkeypatch.setattr("trunkline.recordings.disk.os.scandir", seen)
    await store.put(NAME, file(b"x"))

    assert (root / NAME).read_bytes() == b"x"


_PUTTER = """
import asyncio, sys
from pathlib import Path
from trunkline.recordings.disk import DiskStore

async def main(root, *sources):
    store = DiskStore(Path(root))
    print("ready", flush=True)
    while True:
        for source in sources:
            await store.put("call_recording_a.mp3", Path(source))
            print("put", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


def test_killed_at_any_moment_the_disk_has_a_whole_one(file: File, tmp_path: Path) -> None:
    contents = [bytes([65 + n]) * (6 * MIB + n) for n in range(3)]
    root, chance = tmp_path / "recordings", random.Random(3)
    sources = [str(file(content)) for content in contents]
    seen = set()
    for turn in range(12):
        command = [sys.executable, "-c", _PUTTER, str(root), *sources]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as putter:
            assert putter.stdout is not None
            assert putter.stdout.readline() == b"ready\n"
            began = time.monotonic()
            for _ in range(1 + turn % 3):
                assert putter.stdout.readline() == b"put\n"
            time.sleep(chance.uniform(0, (time.monotonic() - began) / (1 + turn % 3)))
            putter.send_signal(signal.SIGKILL)
        kept = root / "call_recording_a.mp3"
        if kept.exists():
            seen.add(contents.index(kept.read_bytes()))

    assert len(seen) > 1
