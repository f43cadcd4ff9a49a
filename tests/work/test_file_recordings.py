from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from at_once import at_once
from recordings.audio import RATE, goertzel, heard, raw, tone
from trunkline.calls.recording_plan import Composed, Part, Source
from trunkline.events.message_ids import MessageIds
from trunkline.events.stored import StoredEvent
from trunkline.recordings import encode as encoding
from trunkline.recordings.disk import DiskStore
from trunkline.recordings.mp3 import LameRefuses
from trunkline.recordings.spool import Spool
from trunkline.store.ports.database import Recording
from trunkline.work.record.file_recordings import FileRecordings, salvage

from .fake_recordings import FakeBus, FakeRecordings

NOW = 1_700_000_000_000_000
SECOND = 1_000_000
HOUR = 3600 * SECOND
AUDIO = raw(tone(440, 2), tone(1000, 2))


async def until(probe: Callable[[], object], what: str, timeout: float = 120) -> None:
    deadline = time.monotonic() + timeout
    while not probe():
        assert time.monotonic() < deadline, f"{what} did not happen"
        await asyncio.sleep(0.01)


class Filing:
    """The verb with its parts, on a clock that only the test moves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = folder / "spool"
        self.rows = FakeRecordings(folder / "rows.db")
        self.bus = FakeBus()
        self.store = DiskStore(folder / "recordings")
        self.now = NOW
        self.live: set[str] | None = None
        self.message_ids = MessageIds(lambda: NOW - 1)
        self.verb = self.another()

    def another(self, worker: str = "spool", sweep_every: float = 0.05) -> FileRecordings:
        return FileRecordings(
            self.rows,
            self.bus,
            self.store,
            self.spool,
            lambda: self.now,
            self.message_ids,
            worker,
            live_now=lambda: self.live,
            sweep_every=sweep_every,
            first_pause=0.01,
        )

    def record(self, name: str, audio: bytes = AUDIO, folder: str = "done") -> Path:
        """The engine has written this: it is moved into ``done/`` in one step."""
        live, file = self.spool / "live" / f"{name}.raw", self.spool / folder / f"{name}.raw"
        live.write_bytes(audio)
        return live.replace(file)

    def mp3(self, name: str) -> Path:
        return self.folder / "recordings" / f"call_recording_{name}.mp3"

    def row(self, name: str) -> Recording:
        row = at_once(self.rows.any_account(f"call_recording_{name}.mp3"))
        assert row is not None
        return row

    def left(self) -> list[str]:
        """All files in the spool."""
        files = (path for path in self.spool.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.spool)) for path in files)

    @asynccontextmanager
    async def running(self, verb: FileRecordings | None = None) -> AsyncIterator[None]:
        task = asyncio.create_task((verb or self.verb).run())
        try:
            yield
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def until_state(self, name: str, state: str) -> None:
        await until(lambda: self.row(name).state == state, f"{name} {state}")


@pytest.fixture
def filing(tmp_path: Path) -> Filing:
    return Filing(tmp_path)


async def test_audio_of_an_ended_call_becomes_its_recording(filing: Filing) -> None:
    filing.rows.expect("a")
    filing.record("a")

    async with filing.running():
        await until(lambda: filing.bus.published and not filing.left(), "the recording")

    left, right = heard(filing.mp3("a"))[RATE // 4 : RATE * 7 // 4].T
    row = filing.row("a")
    assert goertzel(left, 440) - goertzel(left, 1000) > 60
    assert goertzel(right, 1000) - goertzel(right, 440) > 60
    assert (row.state, row.bytes, row.seconds) == ("ready", filing.mp3("a").stat().st_size, 2.0)
    assert filing.rows.events() == [("RECORDING_READY", "id-a")]


async def test_it_is_told_as_an_event_of_the_call(filing: Filing) -> None:
    filing.rows.expect("a", account_id="0af3")
    filing.record("a")

    async with filing.running():
        await until(lambda: filing.bus.published, "the event")

    event = filing.bus.published[0]
    assert (event.account_id, event.category, event.subject) == ("0af3", "call", "id-a")
    assert (event.name, event.call_id, event.at) == ("RECORDING_READY", "id-a", NOW)
    assert msgspec.json.decode(event.body) == {
        "Event-Category": "call_event",
        "Event-Name": "RECORDING_READY",
        "Event-Time": "2023-11-14T22:13:20.000Z",
        "call_id": "id-a",
        "clientRef": "crm-7",
        "Call-ID": "id-a",
        "Media-Name": "call_recording_a.mp3",
        "Media-Length": filing.mp3("a").stat().st_size,
        "Duration-Seconds": "2",
        "Timestamp": 1_700_000_000 + 62_167_219_200,
        "Msg-ID": str(NOW),
        "Custom-Channel-Vars": {
            "Account-ID": "0af3",
            "Call-Interaction-ID": "id-a",
            "Client-Ref": "crm-7",
        },
        "State": {
            "name": "call_recording_a.mp3",
            "call_id": "id-a",
            "client_ref": "crm-7",
            "status": "ready",
            "bytes": filing.mp3("a").stat().st_size,
            "seconds": 2.0,
            "reason": None,
        },
    }


async def test_each_event_has_its_own_message_id(filing: Filing) -> None:
    for name in ("a", "b", "c"):
        filing.rows.expect(name)
        filing.record(name)

    async with filing.running():
        await until(lambda: len(filing.bus.published) == 3, "three events")

    ids = {msgspec.json.decode(event.body)["Msg-ID"] for event in filing.bus.published}
    assert len(ids) == 3


async def test_a_file_that_comes_is_seen_without_a_sweep(filing: Filing) -> None:
    filing.rows.expect("a")

    async with filing.running(filing.another(sweep_every=3600)):
        await asyncio.sleep(0.1)
        filing.record("a")
        await filing.until_state("a", "ready")


def ended(call_id: str) -> StoredEvent:
    return StoredEvent("acc", 1, "call", "CALL_ENDED", call_id, call_id, NOW, b"")


def destroyed(leg_id: str, call_id: str) -> StoredEvent:
    return StoredEvent("acc", 1, "call", "CHANNEL_DESTROY", leg_id, call_id, NOW, b"")


@pytest.mark.parametrize("closed_first", [True, False])
async def test_a_call_that_nobody_answered_leaves_no_file(
    filing: Filing, closed_first: bool
) -> None:
    async with filing.running(filing.another(sweep_every=3600)):
        if closed_first:
            filing.record("tl1-17-2", b"")
        await asyncio.sleep(0.2)  # it listens, and has looked at the file
        filing.bus.publish([ended("tl1-17.2")])
        if not closed_first:
            filing.record("tl1-17-2", b"")
        await until(lambda: not filing.left(), "the file's end")
    assert filing.rows.events() == []


async def test_audio_without_a_row_is_kept_though_its_call_is_over(filing: Filing) -> None:
    async with filing.running(filing.another(sweep_every=3600)):
        filing.bus.publish([ended("a")])
        filing.record("a")
        await asyncio.sleep(0.3)
        assert filing.left() == ["done/a.raw"]


async def test_audio_waits_for_its_call_to_end(filing: Filing) -> None:
    filing.record("a")

    async with filing.running(filing.another(sweep_every=3600)):
        await asyncio.sleep(0.2)
        waiting = filing.left()
        filing.rows.expect("a")
        filing.bus.publish([ended("a")])
        await filing.until_state("a", "ready")

    assert waiting == ["done/a.raw"]


def transferred(spent: tuple[str, ...] = ("a", "b", "c")) -> Composed:
    """a talks with b for a second, then with c for one."""
    second = 1_000_000
    return Composed(
        length=2 * second,
        parts=(
            Part(0, 2 * second, "left", (Source("a", "own", 0),)),
            Part(0, second, "right", (Source("b", "own", 0), Source("a", "told", 0))),
            Part(second, second, "right", (Source("c", "own", 0), Source("a", "told", second))),
        ),
        files=("a", "b", "c"),
        spent=spent,
    )


def voice(hertz: float, seconds: float, told: float = 300) -> bytes:
    """What a recorder on a leg writes: what it said, and what it was told."""
    return raw(tone(hertz, seconds), tone(told, seconds))


async def test_a_transferred_call_is_made_of_the_files_of_its_legs(filing: Filing) -> None:
    filing.rows.expect("call", plan=transferred())
    filing.record("a", voice(440, 2))
    filing.record("c", voice(1500, 1))

    async with filing.running():
        await until(lambda: filing.bus.published and not filing.left(), "the recording")

    left, right = heard(filing.mp3("call")).T
    assert filing.row("call").seconds == 2.0
    assert goertzel(left[RATE // 4 : RATE * 7 // 4], 440) > -20
    assert goertzel(right[RATE // 4 : RATE * 3 // 4], 300) > -20  # b had no recorder: a was told it
    assert goertzel(right[RATE * 5 // 4 : RATE * 7 // 4], 1500) > -20
    assert filing.rows.events() == [("RECORDING_READY", "id-call")]


async def test_it_is_made_once_the_last_of_its_files_is_closed(filing: Filing) -> None:
    filing.rows.expect("call", plan=transferred())
    live = filing.spool / "live" / "c.raw"
    live.write_bytes(voice(1500, 1))
    filing.record("a", voice(440, 2))
    filing.record("b", voice(1000, 1))

    async with filing.running(filing.another(sweep_every=3600)):
        await asyncio.sleep(0.3)
        before = (filing.row("call").state, filing.left())
        live.replace(filing.spool / "done" / "c.raw")
        await until(lambda: filing.bus.published and not filing.left(), "the recording")

    assert before == ("pending", ["done/a.raw", "done/b.raw", "live/c.raw"])
    assert filing.rows.events() == [("RECORDING_READY", "id-call")]


async def test_a_leg_that_went_on_in_another_call_is_in_the_recordings_of_both(
    filing: Filing,
) -> None:
    consultation = transferred(spent=("b",))
    filing.rows.expect("one", plan=consultation)
    for name in ("a", "b", "c"):
        filing.record(name, voice(440, 2))

    async with filing.running(filing.another(sweep_every=3600)):
        await filing.until_state("one", "ready")
        await until(
            lambda: filing.left() == ["done/a.raw", "done/c.raw"], "the end of what is spent"
        )
        filing.rows.expect("other", plan=transferred(spent=("a", "c")))
        filing.bus.publish([destroyed("a", "x"), destroyed("c", "x"), ended("x")])
        await until(lambda: not filing.left(), "the end of all")

    assert filing.row("other").state == "ready"
    assert filing.rows.events() == [("RECORDING_READY", "id-one"), ("RECORDING_READY", "id-other")]


async def test_what_two_recordings_need_waits_for_both(filing: Filing) -> None:
    filing.rows.expect("one", plan=transferred(spent=("b",)))
    name = filing.rows.expect("other", plan=transferred(spent=("a", "c")))
    await filing.rows.claim(name, "another", NOW, NOW + HOUR)
    for raw_file in ("a", "b", "c"):
        filing.record(raw_file, voice(440, 2))

    async with filing.running():
        await filing.until_state("one", "ready")
        await asyncio.sleep(0.2)
        before = filing.left()
        filing.now = NOW + HOUR
        await until(lambda: not filing.left(), "the end of all")

    assert before == ["done/a.raw", "done/b.raw", "done/c.raw"]
    assert filing.row("other").state == "ready"


async def test_empty_files_of_all_legs_of_an_unanswered_call_go(filing: Filing) -> None:
    async with filing.running(filing.another(sweep_every=3600)):
        filing.record("tl1-17-2", b"")
        filing.record("tl1-17-5", b"")
        await asyncio.sleep(0.2)
        filing.bus.publish([destroyed("tl1-17.5", "tl1-17.2"), ended("tl1-17.2")])
        await until(lambda: not filing.left(), "the files' end")


async def test_a_recording_that_was_done_before_only_loses_its_raw(filing: Filing) -> None:
    filing.rows.expect("a")
    filing.rows.db.execute("UPDATE recordings SET state = 'ready'")
    filing.record("a")

    async with filing.running():
        await until(lambda: not filing.left(), "the raw's end")

    assert filing.rows.events() == []
    assert not filing.mp3("a").exists()


async def test_another_workers_claim_is_honoured_until_it_runs_out(filing: Filing) -> None:
    name = filing.rows.expect("a")
    await filing.rows.claim(name, "other", NOW, NOW + HOUR)
    filing.record("a")

    async with filing.running():
        await asyncio.sleep(0.3)
        before = filing.row("a").state
        filing.now = NOW + HOUR
        await filing.until_state("a", "ready")

    assert before == "pending"


async def test_what_it_had_claimed_before_a_crash_it_takes_up_at_once(filing: Filing) -> None:
    name = filing.rows.expect("a")
    await filing.rows.claim(name, "spool", NOW, NOW + HOUR)
    filing.record("a")
    (filing.spool / "encoding" / "a.0123.mp3").write_bytes(b"half of it")

    async with filing.running():
        await until(lambda: not filing.left(), "the recording")

    assert filing.row("a").state == "ready"


async def test_a_claim_lost_meanwhile_leaves_the_end_to_the_new_holder(filing: Filing) -> None:
    filing.rows.expect("a")
    filing.record("a")
    put = filing.store.put

    async def put_slowly(name: str, file: Path) -> None:
        await put(name, file)
        filing.rows.db.execute("UPDATE recordings SET worker = 'other', until = ?", (NOW + HOUR,))

    filing.store.put = put_slowly  # type: ignore[method-assign]
    async with filing.running():
        await until(filing.mp3("a").exists, "the file")
        await asyncio.sleep(0.2)

    assert filing.rows.events() == []
    assert filing.left() == ["done/a.raw"]


@pytest.mark.parametrize("audio", [b"", b"\x00\x01\x02"])
async def test_a_call_in_which_nobody_sent_audio_is_a_silent_recording(
    filing: Filing, audio: bytes
) -> None:
    filing.rows.expect("a")
    filing.record("a", audio)

    async with filing.running():
        await until(lambda: filing.bus.published and not filing.left(), "the recording")

    assert filing.rows.events() == [("RECORDING_READY", "id-a")]
    assert filing.mp3("a").stat().st_size > 0


def failure(filing: Filing) -> str:
    """The reason that the world is told."""
    body = msgspec.json.decode(filing.bus.published[0].body)
    assert body["State"]["reason"] == body["Failure-Reason"]
    return str(body["Failure-Reason"])


async def test_audio_that_never_came_is_given_up_after_ten_minutes(filing: Filing) -> None:
    filing.rows.expect("a", created_at=NOW)

    async with filing.running():
        filing.now = NOW + 590 * SECOND
        await asyncio.sleep(0.2)
        before = filing.row("a").state
        filing.now = NOW + 601 * SECOND
        await filing.until_state("a", "failed")

    assert before == "pending"
    assert filing.rows.reason("a") == "no audio file"
    assert failure(filing) == "AUDIO_MISSING"
    assert filing.rows.events() == [("RECORDING_FAILED", "id-a")]


async def test_audio_that_is_still_being_written_is_waited_for(filing: Filing) -> None:
    filing.rows.expect("a", created_at=NOW - HOUR)
    (filing.spool / "live" / "a.raw").write_bytes(AUDIO)

    async with filing.running():
        await asyncio.sleep(0.2)
        before = filing.row("a").state
        filing.record("a")
        await filing.until_state("a", "ready")

    assert before == "pending"


async def test_audio_that_the_encoder_refuses_is_kept_aside(
    filing: Filing, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[None] = []

    def broken(*_: object) -> None:
        tried.append(None)
        raise LameRefuses("no rate")

    monkeypatch.setattr(encoding, "_write_mp3", broken)
    filing.rows.expect("a")
    filing.record("a")

    async with filing.running():
        await filing.until_state("a", "failed")
        await until(lambda: filing.left() == ["failed/a.raw"], "the raw aside")

    assert filing.rows.reason("a").startswith("encoding failed: ")
    assert failure(filing) == "ENCODING_FAILED"
    assert len(tried) == 5


async def test_what_the_store_refuses_is_tried_again_for_ever(filing: Filing) -> None:
    filing.rows.expect("a")
    filing.record("a")
    put, refused = filing.store.put, []

    async def full(name: str, file: Path) -> None:
        if len(refused) < 7:
            refused.append(name)
            raise OSError(28, "No space left on device")
        await put(name, file)

    filing.store.put = full  # type: ignore[method-assign]
    async with filing.running():
        await filing.until_state("a", "ready")
        await until(lambda: not filing.left(), "the raw's end")

    assert filing.rows.events() == [("RECORDING_READY", "id-a")]


async def test_a_database_that_is_away_is_waited_for(filing: Filing) -> None:
    filing.rows.expect("a")
    filing.record("a")
    filing.rows.unavailable = True

    async with filing.running():
        await asyncio.sleep(0.2)
        waiting = filing.left()
        filing.rows.unavailable = False
        await filing.until_state("a", "ready")

    assert waiting == ["done/a.raw"]


async def test_audio_without_a_call_is_put_away_and_silence_is_not(filing: Filing) -> None:
    filing.record("said")
    filing.record("silent", b"")
    filing.now = time.time_ns() // 1000

    async with filing.running():
        await asyncio.sleep(0.2)
        before = filing.left()
        filing.now += 49 * HOUR
        await until(lambda: filing.left() == ["unclaimed/said.raw"], "the tidying")

    assert before == ["done/said.raw", "done/silent.raw"]


async def test_silence_of_a_call_whose_end_an_earlier_run_heard_goes_soon(filing: Filing) -> None:
    """A leg that nobody answered, and that is over, though this run has not heard it end."""
    for name in ("over", "live", "unknown"):
        filing.record(name, b"")
    filing.now, filing.live = time.time_ns() // 1000, None

    async with filing.running():
        await asyncio.sleep(0.2)
        filing.live = {"live", "unknown"}
        await asyncio.sleep(0.2)
        fresh = filing.left()
        filing.now += 31 * 1_000_000
        filing.live = None
        await asyncio.sleep(0.2)
        unknown = filing.left()
        filing.live = {"live", "unknown"}
        await until(lambda: "done/over.raw" not in filing.left(), "the end of what is over")

    assert fresh == unknown == ["done/live.raw", "done/over.raw", "done/unknown.raw"]
    assert filing.left() == ["done/live.raw", "done/unknown.raw"]


async def test_it_ends_at_once_when_cancelled_though_the_call_was_long(filing: Filing) -> None:
    filing.rows.expect("a")
    filing.record("a", bytes(16 * 1024) * 4 * 3600)  # two hours

    async with filing.running():
        await until(lambda: any("encoding" in name for name in filing.left()), "the encoding")
        started = time.monotonic()

    assert time.monotonic() - started < 2
    await until(lambda: filing.left() == ["done/a.raw"], "the half MP3's end")
    assert filing.row("a").state == "pending"


async def test_folders_that_cannot_be_read_or_written_end_nothing(
    filing: Filing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many open files, for a while: the sweep finds what was not handed over."""
    filing.rows.expect("a")

    def fails(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    for name in ("clear_encoding", "hand_over", "waiting"):
        monkeypatch.setattr(Spool, name, fails)
    async with filing.running():
        (filing.spool / "live" / "a.raw").write_bytes(AUDIO)
        await asyncio.sleep(0.3)
        assert filing.left() == ["live/a.raw"]
        monkeypatch.undo()
        (filing.spool / "live" / "a.raw").write_bytes(AUDIO)
        await until(lambda: filing.mp3("a").exists(), "the recording")


async def test_other_files_are_left_alone(filing: Filing) -> None:
    (filing.spool / "done" / "notes.txt").write_text("x")
    (filing.spool / "done" / "folder.raw").mkdir()

    async with filing.running():
        await asyncio.sleep(0.2)

    assert filing.left() == ["done/notes.txt"]


def test_salvage_hands_over_what_a_dead_engine_was_writing(filing: Filing) -> None:
    (filing.spool / "live" / "a.raw").write_bytes(AUDIO)
    (filing.spool / "live" / "b.raw").write_bytes(b"second")
    (filing.spool / "done" / "b.raw").write_bytes(b"first")

    moved = salvage(filing.spool)

    assert moved == ["a"]
    assert filing.left() == ["done/a.raw", "done/b.raw", "live/b.raw"]
    assert (filing.spool / "done" / "b.raw").read_bytes() == b"first"
