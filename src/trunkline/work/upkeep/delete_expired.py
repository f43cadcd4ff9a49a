"""Delete what is older than it is kept: calls, recordings, events and their deliveries, by account.

Everything goes in small steps with a pause after each, so that calls are written meanwhile. Each step
leaves the database whole: one step makes a removal of a recording's row, and the removal goes
once its files are gone. So a run may be killed anywhere, and the next one goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from trunkline.calls.times import SECOND
from trunkline.recordings.port import Store
from trunkline.recordings.spool import Spool
from trunkline.store.ports.retention import KINDS, KeepDays, Kind, Removal, Retention

T = TypeVar("T")
log = structlog.get_logger()

DAY = 86_400 * SECOND
EVERY = 3600.0
"""Seconds between two runs of a server."""
FIRST_AFTER = 300.0
"""Seconds from its start to the first run."""
STEPS: dict[Kind, int] = {"recordings": 20, "calls": 20, "events": 200, "deliveries": 200}
"""Rows in one transaction. It takes a few milliseconds, for which other writes wait."""
FACTS = 500
FILES = 100


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """For how many days the installation keeps things; 0: for good.

    A recording goes with its call's record at the latest, and so do the call's facts.
    """

    calls: int = 0
    recordings: int = 0
    events: int = 31
    journal: int = 31


class Expired(msgspec.Struct, frozen=True):
    """How much of a kind went; ``account`` None: of all. ``files`` are recordings' files.

    ``spent`` are idempotency keys and tokens that have run out, ``months`` tables that were empty, ``music`` what
    was deleted and can be heard by nobody any more.
    """

    account: str | None
    kind: str
    rows: int


Told = Callable[[Expired], None]
"""Called after each step with what went."""


class DeleteExpired:
    """The verb: ``await delete_expired()`` once, or ``run`` until it is cancelled.

    ``clock`` gives unix microseconds. After each step comes a pause, ``rest`` times as long as the step
    took. Several may run at once, in several processes. ``tidy_files`` removes such music, and says how much.
    """

    def __init__(
        self,
        retention: Retention,
        store: Store,
        spool: Path,
        kept: Kept,
        clock: Callable[[], int],
        rest: float = 2.0,
        tidy_files: Callable[[], int] = lambda: 0,
    ) -> None:
        self._retention = retention
        self._store = store
        self._spool = spool
        self._kept = kept
        self._clock = clock
        self._rest = rest
        self._tidy_files = tidy_files

    async def run(self) -> None:
        """Delete every hour, with a line in the log for each account and kind, until cancelled."""
        await asyncio.sleep(FIRST_AFTER)
        while True:
            try:
                for expired in await self():
                    log.info("retention.deleted", **msgspec.structs.asdict(expired))
            except Exception:
                log.exception("retention.failed", again_in=EVERY)
            await asyncio.sleep(EVERY)

    async def __call__(self, told: Told = lambda _: None) -> list[Expired]:
        """Delete all that is too old now; returns what went. Raises DatabaseUnavailable."""
        now, done = self._clock(), list[Expired]()
        for limits in await self._retention.limits():
            for kind, before in self._expired(limits, now):
                done.append(await self._delete(limits, kind, before, now, told))
        done.append(Expired(None, "facts", await self._delete_facts(now)))
        done.append(Expired(None, "spent", await self._delete_spent(now)))
        done.append(Expired(None, "files", await self._remove_files(now)))
        done.append(Expired(None, "music", await asyncio.to_thread(self._tidy_files)))
        done.append(Expired(None, "months", await self._retention.tidy(now)))
        return [expired for expired in done if expired.rows]

    async def due(self) -> list[Expired]:
        """What would go now; nothing is deleted."""
        now, retention = self._clock(), self._retention
        found = [
            Expired(limits.name, kind, await retention.due(limits.account_id, kind, before))
            for limits in await retention.limits()
            for kind, before in self._expired(limits, now)
        ]
        found.append(Expired(None, "facts", await self._facts_due(now)))
        return [expired for expired in found if expired.rows]

    def _expired(self, limits: KeepDays, now: int) -> Iterator[tuple[Kind, int]]:
        """The kinds that have an age limit, each with the time before which it is too old."""
        if limits.held:
            return
        for kind in KINDS:
            days = self._days(limits, kind)
            if days:
                yield kind, now - days * DAY

    def _days(self, limits: KeepDays, kind: Kind) -> int:
        kept = "events" if kind == "deliveries" else kind
        own: int | None = getattr(limits, kept)
        days: int = getattr(self._kept, kept) if own is None else own
        return days

    async def _delete(
        self, limits: KeepDays, kind: Kind, before: int, now: int, told: Told
    ) -> Expired:
        after, rows, limit = None, 0, STEPS[kind]
        while True:
            step = await self._paced(
                self._retention.delete(limits.account_id, kind, before, after, limit, now)
            )
            rows, after = rows + step.rows, step.after
            told(Expired(limits.name, kind, rows))
            if after is None:
                return Expired(limits.name, kind, rows)

    async def _delete_facts(self, now: int) -> int:
        """From the oldest fact on, until all in a step are too young."""
        before, after, deleted = now - self._kept.journal * DAY, 0, 0
        while True:
            old, due, last = await self._retention.facts_due(before, after, FACTS)
            if last is None or not old:
                return deleted
            if due:
                deleted += await self._paced(self._retention.delete_facts(before, after, last))
            after = last

    async def _facts_due(self, now: int) -> int:
        before, after, found = now - self._kept.journal * DAY, 0, 0
        while True:
            old, due, last = await self._retention.facts_due(before, after, FACTS)
            if last is None or not old:
                return found
            found, after = found + due, last

    async def _delete_spent(self, now: int) -> int:
        deleted = 0
        while rows := await self._paced(self._retention.delete_spent(now, STEPS["events"])):
            deleted += rows
        return deleted

    async def _remove_files(self, now: int) -> int:
        """The files first, then the row that names them: after a kill in between, it is done again."""
        removed, after, spool = 0, "", await asyncio.to_thread(Spool, self._spool)
        while found := await self._retention.removals(now, after, FILES):
            gone = [each.name for each in found if await self._remove(each, spool)]
            await self._paced(self._retention.removed(gone))
            removed, after = removed + len(gone), found[-1].name
        return removed

    async def _remove(self, removal: Removal, spool: Spool) -> bool:
        try:
            await self._store.delete(removal.name)
            for raw in removal.raws:
                await asyncio.to_thread(spool.forget, raw)
        except Exception as error:  # what the store refuses is tried again the next time
            log.warning("recording_not_removed", name=removal.name, error=repr(error))
            return False
        return True

    async def _paced(self, step: Awaitable[T]) -> T:
        """The step's result, after a pause in which others write."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        done = await step
        await asyncio.sleep((loop.time() - began) * self._rest)
        return done
