"""File recordings: turn what the engine has recorded into files in the store, each exactly once.

A recording is made once all of its raw files are final. The raw audio is the work item, and it goes
last: claim the row, encode aside, put into the store, say done (the row and its event in one
transaction), tell the bus, and only then unlink what no other recording needs. After a kill at any of
these steps, the next run finds the raw audio and either does it again or, where the rows say done,
unlinks it. Memory only says when to look again.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import structlog
from asyncinotify import Inotify, Mask

from trunkline.bus.port import Bus
from trunkline.calls.recording_names import format_of, peaks_of
from trunkline.calls.recording_plan import RecordingPlan, WholeFile, raw_name
from trunkline.calls.times import SECOND
from trunkline.events.message_ids import MessageIds
from trunkline.events.of_recording import recording_failed, recording_ready
from trunkline.events.state import FailureReason
from trunkline.events.stored import StoredEvent
from trunkline.recordings.compose import compose
from trunkline.recordings.encode import Encoded, EncodingFailed, encode
from trunkline.recordings.peaks import Peaks
from trunkline.recordings.port import Store
from trunkline.recordings.spool import ENDINGS, Spool
from trunkline.store.ports.database import Recording, Recordings

log = structlog.get_logger()

Tags = Callable[[Recording], Awaitable[Mapping[str, str]]]


async def _no_tags(_recording: Recording) -> Mapping[str, str]:
    return {}


LEASE = 600 * SECOND
"""How long a claim holds, beyond the length of the audio; encoding takes a 500th of that."""
MISSING_AFTER = 600 * SECOND
"""A recording is given up so long after its call, when its audio never came."""
UNCLAIMED_AFTER = 2 * 86_400 * SECOND
"""Audio that has no row is put away after this: longer than the longest call may last."""
SILENT_AFTER = 3600 * SECOND
"""An empty file that has no row goes after this, if it is not known whether its call is over."""
SILENT_ALONE_AFTER = 30 * SECOND
"""An empty file of no live call goes after this: by then the log has told of its leg, if ever."""
ENDED_KEPT = 4096
"""The ends of so many calls are remembered, for files that are closed after that."""
TRIES = 5
"""After the encoder has refused the audio so often, the recording has failed."""
LEAST_A_SECOND = 8000
"""Bytes of raw audio that a second has at least; silence has none."""
LONGEST_PAUSE = 300.0
"""Seconds. What the disk, the store or the database refuses is tried again for ever."""


class FileRecordings:
    """The verb: ``await file_recordings.run()`` files recordings until it is cancelled.

    ``spool`` is the engine's (see ``recordings.spool``). ``clock`` gives unix microseconds.
    ``worker`` holds the claims. It keeps its name after a restart, so that what a killed run had
    claimed is taken up at once; each spool has another name. One run at a time per spool.
    ``open_now`` returns the files that the engine holds open, or None when that is not known: a
    file in ``live/`` that is not open is final. Inotify tells of a close, too, at once.
    ``live_now`` returns the raw names of the legs of all live calls, or None when those are not known.
    ``tags`` tells what stands in a recording's file beside its sound.
    """

    def __init__(
        self,
        recordings: Recordings,
        bus: Bus,
        store: Store,
        spool: Path,
        clock: Callable[[], int],
        message_ids: MessageIds,
        worker: str = "spool",
        *,
        open_now: Callable[[], Container[Path] | None] = lambda: None,
        live_now: Callable[[], Container[str] | None] = lambda: None,
        tags: Tags = _no_tags,
        at_once: int = 2,
        sweep_every: float = 30.0,
        first_pause: float = 2.0,
    ) -> None:
        self._recordings = recordings
        self._bus = bus
        self._store = store
        self._spool = Spool(spool)
        self._clock = clock
        self._message_ids = message_ids
        self._worker = worker
        self._open_now = open_now
        self._live_now = live_now
        self._tags = tags
        self._at_once = at_once
        self._sweep_every = sweep_every
        self._first_pause = first_pause
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._busy: set[str] = set()
        self._making: set[str] = set()
        self._waiting: set[str] = set()
        self._gone: defaultdict[str, list[str]] = defaultdict(list)
        self._ended: dict[str, None] = {}
        self._errors: dict[str, int] = {}
        self._refused: dict[str, int] = {}

    async def run(self) -> None:
        await asyncio.to_thread(self._clear_encoding)
        stop_listening = self._bus.listen(self._heard)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch())
                tasks.create_task(self._sweep())
                for _ in range(self._at_once):
                    tasks.create_task(self._work())
        finally:
            stop_listening()

    def _clear_encoding(self) -> None:
        try:
            self._spool.clear_encoding()
        except OSError as error:  # they only take room
            log.warning("recordings_not_cleared", error=repr(error))

    # ---- What to look at: a file that came, a call that ended, or all there is ----

    async def _watch(self) -> None:
        try:
            with Inotify() as inotify:
                inotify.add_watch(self._spool.done, Mask.MOVED_TO | Mask.CLOSE_WRITE)
                closing = inotify.add_watch(self._spool.live, Mask.CLOSE_WRITE)
                async for event in inotify:
                    if event.name is None or event.name.suffix not in ENDINGS:
                        continue
                    if event.watch is closing:
                        self._hand_over(event.name.stem)  # inotify then tells of it in done/
                    else:
                        self._offer([event.name.stem])
        except OSError as error:  # no watches left on this machine: the sweep finds it all
            log.warning("recordings_not_watched", error=str(error), sweep_every=self._sweep_every)

    def _hand_over(self, raw: str) -> None:
        try:
            self._spool.hand_over(raw)
        except OSError as error:  # the sweep does it
            log.warning("recording_not_handed_over", raw=raw, error=repr(error))

    async def _sweep(self) -> None:
        while True:
            try:
                self._offer(await asyncio.to_thread(self._look_around))
                await self._give_up_missing()
            except Exception as error:
                log.warning("recordings_not_swept", error=repr(error))
            await asyncio.sleep(self._sweep_every)

    def _look_around(self) -> list[str]:
        """All that is final, including what inotify did not tell, or told while nobody listened."""
        self._spool.take_closed(self._open_now)
        return self._spool.waiting()

    def _heard(self, events: Sequence[StoredEvent]) -> None:
        """A recording's row is written with its call's record, just before CALL_ENDED is told."""
        for event in events:
            if event.name == "CHANNEL_DESTROY" and event.call_id is not None:
                self._gone[event.call_id].append(raw_name(event.subject))
            elif event.name == "CALL_ENDED":
                self._call_ended(event.subject)
        for kept in (self._ended, self._gone):
            while len(kept) > ENDED_KEPT:
                del kept[next(iter(kept))]

    def _call_ended(self, call_id: str) -> None:
        """Each leg has a file; that of the first leg has the call's name."""
        for raw in dict.fromkeys([raw_name(call_id), *self._gone.pop(call_id, ())]):
            self._ended[raw] = None
            if raw in self._waiting:
                self._offer([raw])

    def _offer(self, raws: Iterable[str]) -> None:
        for raw in raws:
            if raw not in self._busy:
                self._busy.add(raw)
                self._queue.put_nowait(raw)

    # ---- One raw file ----

    async def _work(self) -> None:
        while True:
            raw = await self._queue.get()
            try:
                await self._look_at(raw)
            except Exception as error:
                pause = self._pause(raw)
                log.warning("recording_not_filed", raw=raw, error=repr(error), again_in=pause)
                asyncio.get_running_loop().call_later(pause, self._again, raw)
            else:
                self._busy.discard(raw)
                self._errors.pop(raw, None)

    def _pause(self, raw: str) -> float:
        self._errors[raw] = errors = self._errors.get(raw, 0) + 1
        return float(min(self._first_pause * 2 ** min(errors - 1, 16), LONGEST_PAUSE))

    def _again(self, raw: str) -> None:
        self._busy.discard(raw)
        self._offer([raw])

    async def _look_at(self, raw: str) -> None:
        self._waiting.discard(raw)
        for recording in await self._recordings.of_raw(raw):
            if recording.state == "pending" and self._can_be_made(recording):
                await self._make_once(recording)
        await self._let_go([raw])

    def _can_be_made(self, recording: Recording) -> bool:
        """Is all of its audio final, and is there any? Whoever closes the last file looks again."""
        files = recording.plan.files
        return not any(map(self._spool.writes, files)) and self._size(files) is not None

    async def _make_once(self, recording: Recording) -> None:
        """Two of its files may be looked at side by side."""
        if recording.name in self._making:
            return
        self._making.add(recording.name)
        try:
            await self._claim_and_make(recording, self._size(recording.plan.files) or 0)
        finally:
            self._making.discard(recording.name)

    def _size(self, files: Iterable[str]) -> int | None:
        """Bytes of raw audio that wait; None where there is no file of it."""
        sizes = [size for raw in files if (size := self._spool.size(raw)) is not None]
        return sum(sizes) if sizes else None

    async def _let_go(self, raws: Iterable[str]) -> None:
        """Dispose of the raw audio of which no recording is to be made any more."""
        for raw in raws:
            if self._spool.size(raw) is None:
                continue
            recordings = await self._recordings.of_raw(raw)
            states = {recording.state for recording in recordings}
            spent = any(raw in recording.plan.spent for recording in recordings)
            if "pending" in states:
                continue  # it waits for other files, for another worker, or for its next try
            if not spent:
                self._wait_for_row(raw, known=bool(recordings))
            elif "failed" in states and not self._spool.silent(raw):
                self._spool.put_away(raw, self._spool.failed)
            else:
                self._spool.drop(raw)

    def _wait_for_row(self, raw: str, known: bool) -> None:
        """The file's call goes on, or has been lost. Of a lost call, audio is kept and silence is dropped.

        ``known``: another call's recording was made of it, too.
        """
        came, silent = self._spool.came(raw), self._spool.silent(raw)
        if came is None:
            return
        age = self._clock() - came
        unanswered = silent and self._is_over(raw, age)  # then its record names no recording
        if not unanswered and age < (SILENT_AFTER if silent else UNCLAIMED_AFTER):
            self._waiting.add(raw)
        elif silent or known:
            self._spool.drop(raw)
        else:
            self._spool.put_away(raw, self._spool.unclaimed)
            log.warning("audio_without_call", raw=raw, moved_to=str(self._spool.unclaimed))

    def _is_over(self, raw: str, age: int) -> bool:
        """Is the leg's call over, as far as is known? A killed run may have heard of its end."""
        if raw in self._ended:
            return True
        live = self._live_now() if age >= SILENT_ALONE_AFTER else None
        return live is not None and raw not in live

    async def _claim_and_make(self, recording: Recording, size: int) -> None:
        claimed = await self._claim(recording.name, size)
        if claimed is None:
            return  # another worker has it; the sweep looks again
        try:
            await self._make(claimed)
        except Exception as error:
            await self._recordings.released(claimed.name, self._worker, repr(error))
            raise
        await self._let_go(claimed.plan.files)

    async def _claim(self, name: str, size: int) -> Recording | None:
        now = self._clock()
        until = now + LEASE + size * SECOND // LEAST_A_SECOND
        return await self._recordings.claim(name, self._worker, now, until)

    async def _make(self, recording: Recording) -> None:
        if silent := self._silence_in(recording.plan):
            log.warning("recording_has_gaps", call_id=recording.call_id, seconds=silent)
        file = self._spool.encoding / f"{secrets.token_hex(8)}.{recording.name}"
        try:
            made = await _encode(recording, await self._tags(recording), self._spool.raw, file)
            await self._store.put(peaks_of(recording.name), _peaks_beside(file))
            await self._store.put(recording.name, file)
        except EncodingFailed as error:
            self._refused[recording.name] = tries = self._refused.get(recording.name, 0) + 1
            if tries < TRIES:
                raise
            await self._fail(recording, "ENCODING_FAILED", f"encoding failed: {error}")
        else:
            await self._done(recording, made)
            self._refused.pop(recording.name, None)
        finally:
            file.unlink(missing_ok=True)
            _peaks_beside(file).unlink(missing_ok=True)

    def _silence_in(self, plan: RecordingPlan) -> float:
        """Seconds in which no file has a voice that is planned, since its recorder's file was lost."""
        if isinstance(plan, WholeFile):
            return 0
        lost = (
            part.length
            for part in plan.parts
            if not any(self._spool.size(source.raw) for source in part.sources)
        )
        return sum(lost) / SECOND

    async def _done(self, recording: Recording, made: Encoded) -> None:
        at = self._clock()
        event = await self._recordings.done(
            recording.name,
            self._worker,
            made.bytes,
            made.seconds,
            recording_ready(
                recording.account_id,
                recording.call_id,
                recording.name,
                client_ref=recording.client_ref,
                size=made.bytes,
                seconds=made.seconds,
                at=at,
                msg_id=self._message_ids(at),
            ),
        )
        if event is not None:  # else the claim was lost, and its new holder ends the matter
            self._bus.publish([event])
            log.info("recording_ready", call_id=recording.call_id, seconds=made.seconds)
        elif await self._recordings.any_account(recording.name) is None:  # it was deleted meanwhile
            await self._store.delete(recording.name)
            for raw in recording.plan.spent:
                if not await self._recordings.of_raw(raw):
                    self._spool.drop(raw)

    # ---- What never becomes a recording ----

    async def _give_up_missing(self) -> None:
        for recording in await self._recordings.expected(self._clock() - MISSING_AFTER, 1000):
            if any(map(self._spool.holds, recording.plan.files)):
                continue
            if (claimed := await self._claim(recording.name, 0)) is not None:
                await self._fail(claimed, "AUDIO_MISSING", "no audio file")

    async def _fail(self, recording: Recording, reason: FailureReason, detail: str) -> None:
        """Events tell the reason, the database and the log the detail."""
        at = self._clock()
        announcement = recording_failed(
            recording.account_id,
            recording.call_id,
            recording.name,
            client_ref=recording.client_ref,
            reason=reason,
            at=at,
            msg_id=self._message_ids(at),
        )
        event = await self._recordings.failed(recording.name, self._worker, detail, announcement)
        if event is None:
            return
        self._bus.publish([event])
        self._refused.pop(recording.name, None)
        log.warning("recording_failed", call_id=recording.call_id, reason=reason, detail=detail)


def salvage(spool: Path) -> list[str]:
    """Hand over the audio that a dead engine was writing; returns the raw names.

    Call it only while no engine runs on the spool: a file that is being written would be cut in two.
    """
    return Spool(spool).salvage()


def _peaks_beside(file: Path) -> Path:
    return file.with_name(peaks_of(file.name))


async def _encode(
    recording: Recording, tags: Mapping[str, str], raw: Callable[[str], Path], file: Path
) -> Encoded:
    """Encode in a thread that ends soon when this is cancelled."""
    stopped = threading.Event()

    def make() -> Encoded:
        with ExitStack() as opened:
            sound = compose(recording.plan, raw, opened)
            peaks = Peaks(sound.rate)
            format_ = format_of(recording.name)
            made = encode(peaks.of(sound), file, format_, tags, stopped.is_set)
            peaks.write(_peaks_beside(file))
            return made

    try:
        return await asyncio.to_thread(make)
    finally:
        stopped.set()
