"""What happened, read by a program that never writes (see ``db.archive_port.Archive``)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import groupby
from typing import Any, TypeVar

from trunkline.calls.call import Call
from trunkline.calls.facts import AnyFact, decode
from trunkline.calls.fold import refold
from trunkline.events.stored import StoredEvent
from trunkline.history.sums import GroupBy, Summed
from trunkline.store.ports.archive import Account, RecordingRow, StoppedWebhook
from trunkline.store.ports.database import Page
from trunkline.store.ports.history import CallFilter, CallKey, Found
from trunkline.store.ports.sip_messages import SipFound
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.finding import Finder
from trunkline.store.postgres.history import read_page, read_total
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.reader import Reader, Row
from trunkline.store.postgres.schema import refuse_other_schema
from trunkline.store.postgres.sip_messages import read_messages
from trunkline.store.postgres.statistics import summed
from trunkline.store.postgres.text import searched

T = TypeVar("T")


class PostgresArchive:
    """See ``db.archive_port.Archive``; it has an event loop of its own."""

    def __init__(self, url: str) -> None:
        """Raises DatabaseUnusable where it is not of this program's schema, and DatabaseUnavailable."""
        refuse_other_schema(url)
        self._runner = asyncio.Runner()
        self._reader = Reader(url)
        self._sql = named("archive")

    def close(self) -> None:
        """Close the connections."""
        with self._runner:
            self._runner.run(self._reader.close())

    def accounts(self) -> list[Account]:
        """Every account, by name."""
        return [Account(*row) for row in self._all(self._sql.accounts)]

    def stopped_webhooks(self) -> list[StoppedWebhook]:
        """Webhooks that were stopped by what they answered, or did not."""
        return [StoppedWebhook(*row) for row in self._all(self._sql.stopped_webhooks)]

    def trunk_names(self) -> dict[str, str]:
        """Endpoint -> name, of every trunk."""
        return dict(self._all(self._sql.trunk_names))

    # ---- calls --------------------------------------------------------------------------------

    def live(self, account_id: str | None = None) -> list[Call]:
        """The live calls of an account, or of all, oldest first."""
        rows = self._all(self._sql.live)
        calls = (
            refold([decode(fact) for *_, fact in group if fact])
            for (_, owner), group in groupby(rows, key=lambda row: (row[0], row[1]))
            if account_id in (None, owner)
        )
        return [call for call in calls if call is not None]

    def call(self, call_id: str) -> Call | None:
        """The call as its journal makes it; None where that is not kept any more."""
        return refold(self.facts(call_id))

    def facts(self, call_id: str) -> list[AnyFact]:
        """The journal of a call, in order; empty where that is not kept any more."""
        return [decode(fact) for (fact,) in self._all(named("calls").facts, call_id=call_id)]

    def record(self, call_id: str) -> dict[str, Any] | None:
        """All columns of a finished call; None if there is none of that id."""
        row: Any = self._one(self._sql.finished, call_id=call_id)
        return None if row is None else dict(row)

    def page(self, account_id: str, start: int, end: int, limit: int, page: int) -> Page:
        """A page of history (``db.port.Calls.page``)."""
        return self._read(
            lambda connection: read_page(connection, account_id, start, end, limit, page)
        )

    def find(self, account_id: str, wanted: CallFilter, after: CallKey, limit: int) -> Found:
        """Finished calls, newest first (``db.history_port.History.find``)."""
        return self._read(
            lambda connection: Finder(connection, account_id, wanted).find(after, limit)
        )

    def total(self, account_id: str, start: int, end: int) -> int:
        """How many calls started in [start, end)."""
        return self._read(lambda connection: read_total(connection, account_id, start, end))

    def statistics(self, account_id: str, group: GroupBy, cuts: Sequence[int], most: int) -> Summed:
        """What calls came to (``store.ports.statistics.Statistics.summed``)."""
        return self._read(lambda connection: summed(connection, account_id, group, cuts, most))

    def sip_messages(self, account_id: str, call_ids: Sequence[str], limit: int) -> SipFound:
        """SIP messages (``db.sip_port.SipMessages.of_call``)."""
        return self._run(read_messages(self._reader, account_id, call_ids, limit))

    # ---- events -------------------------------------------------------------------------------

    def events(self, account_id: str, after: int, limit: int) -> list[StoredEvent]:
        """At most ``limit`` events that follow number ``after``, in order."""
        which = {"account_id": account_id, "seq": after, "limit": limit}
        return [StoredEvent(*row) for row in self._all(named("events").after, **which)]

    def call_events(
        self, account_id: str, call_id: str, after: int, limit: int
    ) -> list[StoredEvent]:
        """At most ``limit`` events of the call that follow number ``after``, in order."""
        which = {"account_id": account_id, "call_id": call_id, "seq": after, "limit": limit}
        return [StoredEvent(*row) for row in self._all(named("events").of_call_after, **which)]

    def bounds(self, account_id: str) -> tuple[int, int]:
        """(oldest number kept, newest number given)."""
        row: Any = self._one(named("events").bounds, account_id=account_id)
        return (1, 0) if row is None else (row[0], row[1])

    # ---- recordings ---------------------------------------------------------------------------

    def recordings(self, account_id: str, limit: int) -> list[RecordingRow]:
        """An account's recordings, those of the newest calls first."""
        rows = self._all(self._sql.recordings, account_id=account_id, limit=limit)
        return [RecordingRow(*row) for row in rows]

    def recording(self, wanted: str) -> RecordingRow | None:
        """The recording of that public name, or of the call with that id."""
        row: Any = self._one(self._sql.recording, wanted=searched(wanted))
        return None if row is None else RecordingRow(*row)

    # ---- reading ------------------------------------------------------------------------------

    def _one(self, query: Callable[..., Awaitable[T]], **parameters: Any) -> T | None:
        return self._run(self._reader.one(query, **parameters))

    def _all(self, query: Callable[..., Awaitable[Any]], **parameters: Any) -> list[Row]:
        return self._run(self._reader.all(query, **parameters))

    def _read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What ``work`` gives, all of it read from one state of the database."""
        return self._run(self._reader.snapshot(work))

    def _run(self, read: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(read)
