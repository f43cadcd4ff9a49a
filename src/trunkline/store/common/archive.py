"""What happened, read by a program that never writes (see ``ports.archive.Archive``)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from trunkline.calls.call import Call
from trunkline.calls.facts import AnyFact
from trunkline.calls.fold import refold
from trunkline.events.stored import StoredEvent
from trunkline.history.sums import GroupBy, Summed
from trunkline.store.common.calls import SqlCalls, live_calls
from trunkline.store.common.dialect import Dialect, Reader, Work
from trunkline.store.common.events import SqlEvents
from trunkline.store.common.history import SqlHistory
from trunkline.store.common.sip_messages import read_rows, unpacked
from trunkline.store.common.statistics import SqlStatistics
from trunkline.store.ports.archive import Account, RecordingRow, StoppedWebhook
from trunkline.store.ports.database import Page
from trunkline.store.ports.history import CallFilter, CallKey, Found
from trunkline.store.ports.sip_messages import SipFound

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, Any]], Any]
"""Runs a coroutine to its end in the thread that asks."""


class SqlArchive:
    """See ``ports.archive.Archive``; ``close`` closes what it reads by."""

    def __init__(
        self, reader: Reader, dialect: Dialect, run: Run, close: Callable[[], None]
    ) -> None:
        self._reader = reader
        self._dialect = dialect
        self._run = run
        self.close = close
        self._sql = dialect.named("archive")
        self._calls = SqlCalls(reader, dialect)
        self._events = SqlEvents(reader, _NeverWrites(), dialect)
        self._history = SqlHistory(reader, _NeverWrites(), dialect)
        self._statistics = SqlStatistics(reader, _NeverWrites(), dialect)

    def accounts(self) -> list[Account]:
        return [Account(*row) for row in self._all(self._sql.accounts)]

    def stopped_webhooks(self) -> list[StoppedWebhook]:
        return [StoppedWebhook(*row) for row in self._all(self._sql.stopped_webhooks)]

    def trunk_names(self) -> dict[str, str]:
        return dict(self._all(self._sql.trunk_names))

    # ---- calls --------------------------------------------------------------------------------

    def live(self, account_id: str | None = None) -> list[Call]:
        calls = (
            refold(facts)
            for _, owner, facts in live_calls(self._all(self._sql.live))
            if account_id in (None, owner)
        )
        return [call for call in calls if call is not None]

    def call(self, call_id: str) -> Call | None:
        return refold(self.facts(call_id))

    def facts(self, call_id: str) -> list[AnyFact]:
        facts: list[AnyFact] = self._run(self._calls.facts(call_id))
        return facts

    def record(self, call_id: str) -> dict[str, Any] | None:
        call_id = self._dialect.searched(call_id)
        return self._read(
            lambda connection: self._dialect.by_column(
                connection, self._sql.finished, {"call_id": call_id}
            )
        )

    def page(self, account_id: str, start: int, end: int, limit: int, page: int) -> Page:
        return self._read(
            lambda connection: self._dialect.read_page(
                connection, account_id, start, end, limit, page
            )
        )

    def find(self, account_id: str, wanted: CallFilter, after: CallKey, limit: int) -> Found:
        found: Found = self._run(self._history.find(account_id, wanted, after, limit))
        return found

    def total(self, account_id: str, start: int, end: int) -> int:
        return int(self._run(self._history.total(account_id, start, end)))

    def statistics(self, account_id: str, group: GroupBy, cuts: Sequence[int], most: int) -> Summed:
        summed: Summed = self._run(self._statistics.summed(account_id, group, cuts, most))
        return summed

    def sip_messages(self, account_id: str, call_ids: Sequence[str], limit: int) -> SipFound:
        rows = self._read(
            lambda connection: read_rows(self._dialect, connection, account_id, call_ids)
        )
        return unpacked(rows, limit)

    # ---- events -------------------------------------------------------------------------------

    def events(self, account_id: str, after: int, limit: int) -> list[StoredEvent]:
        events: list[StoredEvent] = self._run(self._events.after(account_id, after, limit))
        return events

    def call_events(
        self, account_id: str, call_id: str, after: int, limit: int
    ) -> list[StoredEvent]:
        events: list[StoredEvent] = self._run(
            self._events.of_call(account_id, call_id, after, limit)
        )
        return events

    def bounds(self, account_id: str) -> tuple[int, int]:
        bounds: tuple[int, int] = self._run(self._events.bounds(account_id))
        return bounds

    # ---- recordings ---------------------------------------------------------------------------

    def recordings(self, account_id: str, limit: int) -> list[RecordingRow]:
        rows = self._all(self._sql.recordings, account_id=account_id, limit=limit)
        return [RecordingRow(*row) for row in rows]

    def recording(self, wanted: str) -> RecordingRow | None:
        wanted = self._dialect.searched(wanted)
        row = self._run(self._reader.one(self._sql.recording, wanted=wanted))
        return None if row is None else RecordingRow(*row)

    # ---- reading ------------------------------------------------------------------------------

    def _all(self, query: Callable[..., Any], **parameters: Any) -> list[Any]:
        return list(self._run(self._reader.all(query, **parameters)))

    def _read(self, work: Work[T]) -> T:
        """What ``work`` gives, all of it read from one state of the database."""
        given: T = self._run(self._reader.snapshot(work))
        return given


class _NeverWrites:
    async def run(self, work: Work[Any]) -> Any:
        raise AssertionError(f"an archive writes nothing: {work}")
