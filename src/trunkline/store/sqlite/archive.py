"""What happened, read by a program that never writes (see ``db.archive_port.Archive``).

It opens the database read-only beside a running server and disturbs none: a reader in WAL mode
blocks no writer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from trunkline.calls.call import Call
from trunkline.calls.facts import AnyFact, decode
from trunkline.calls.fold import refold
from trunkline.events.stored import StoredEvent
from trunkline.history.sums import GroupBy, Summed
from trunkline.store.copy.capture import refuse_moved
from trunkline.store.migrations import revisions
from trunkline.store.ports.archive import Account, RecordingRow, StoppedWebhook
from trunkline.store.ports.database import DatabaseUnavailable, DatabaseUnusable, Page
from trunkline.store.ports.history import CallFilter, CallKey, Found
from trunkline.store.ports.sip_messages import SipFound
from trunkline.store.sqlite.finding import Finder
from trunkline.store.sqlite.history import History
from trunkline.store.sqlite.queries import named
from trunkline.store.sqlite.reader import Reader
from trunkline.store.sqlite.sip_messages import read_messages
from trunkline.store.sqlite.statistics import summed


class SqliteArchive:
    """See ``db.archive_port.Archive``."""

    def __init__(self, path: Path) -> None:
        """Raises DatabaseUnusable where there is no database of this program's schema."""
        self._reader = Reader(path)
        self._sql = named("archive")
        self._refuse_other_schema(path)

    def close(self) -> None:
        """Close it."""
        self._reader.close()

    def accounts(self) -> list[Account]:
        """Every account, by name."""
        return [Account(*row) for row in self._reader.all(self._sql.accounts)]

    def stopped_webhooks(self) -> list[StoppedWebhook]:
        """Webhooks that were stopped by what they answered, or did not."""
        return [StoppedWebhook(*row) for row in self._reader.all(self._sql.stopped_webhooks)]

    def live(self, account_id: str | None = None) -> list[Call]:
        """The live calls of an account, or of all, oldest first."""
        rows = self._reader.all(self._sql.live)
        calls = (
            refold([decode(fact) for *_, fact in group if fact])
            for (_, owner), group in groupby(rows, key=lambda row: row[:2])
            if account_id in (None, owner)
        )
        return [call for call in calls if call is not None]

    def call(self, call_id: str) -> Call | None:
        """The call as its journal makes it; None where that is not kept any more."""
        return refold(self.facts(call_id))

    def record(self, call_id: str) -> dict[str, Any] | None:
        """All columns of a finished call; None if there is none of that id."""

        def read(connection: sqlite3.Connection) -> dict[str, Any] | None:
            cursor = connection.execute(self._sql.finished.sql, {"call_id": call_id})
            row = cursor.fetchone()
            return (
                None
                if row is None
                else dict(zip((c[0] for c in cursor.description), row, strict=True))
            )

        return self._reader.snapshot(read)

    def events(self, account_id: str, after: int, limit: int) -> list[StoredEvent]:
        """At most ``limit`` events that follow number ``after``, in order."""
        rows = self._reader.all(
            named("events").after, account_id=account_id, seq=after, limit=limit
        )
        return [StoredEvent(*row) for row in rows]

    def call_events(
        self, account_id: str, call_id: str, after: int, limit: int
    ) -> list[StoredEvent]:
        """At most ``limit`` events of the call that follow number ``after``, in order."""
        rows = self._reader.all(
            named("events").of_call_after,
            account_id=account_id,
            call_id=call_id,
            seq=after,
            limit=limit,
        )
        return [StoredEvent(*row) for row in rows]

    def bounds(self, account_id: str) -> tuple[int, int]:
        """(oldest number kept, newest number given)."""
        row = self._reader.one(named("events").bounds, account_id=account_id)
        return (1, 0) if row is None else (row[0], row[1])

    def sip_messages(self, account_id: str, call_ids: Sequence[str], limit: int) -> SipFound:
        """SIP messages (``db.sip_port.SipMessages.of_call``), read in this thread."""
        return self._reader.snapshot(
            lambda connection: read_messages(connection, account_id, call_ids, limit)
        )

    def facts(self, call_id: str) -> list[AnyFact]:
        """The journal of a call, in order; empty where that is not kept any more."""
        return [decode(fact) for (fact,) in self._reader.all(named("calls").facts, call_id=call_id)]

    def page(self, account_id: str, start: int, end: int, limit: int, page: int) -> Page:
        """A page of history (``db.port.Calls.page``), read in this thread."""
        return self._reader.snapshot(
            lambda connection: History(connection, account_id).page(start, end, limit, page)
        )

    def statistics(self, account_id: str, group: GroupBy, cuts: Sequence[int], most: int) -> Summed:
        """What calls came to (``store.ports.statistics.Statistics.summed``), read in this thread."""
        return self._reader.snapshot(
            lambda connection: summed(connection, account_id, group, cuts, most)
        )

    def trunk_names(self) -> dict[str, str]:
        """Endpoint -> name, of every trunk."""
        return dict(self._reader.all(self._sql.trunk_names))

    def find(self, account_id: str, wanted: CallFilter, after: CallKey, limit: int) -> Found:
        """Finished calls, newest first (``db.history_port.History.find``), read in this thread."""
        return self._reader.snapshot(
            lambda connection: Finder(connection, account_id, wanted).find(after, limit)
        )

    def total(self, account_id: str, start: int, end: int) -> int:
        """How many calls started in [start, end)."""
        return self._reader.snapshot(
            lambda connection: History(connection, account_id).total(start, end)
        )

    def recordings(self, account_id: str, limit: int) -> list[RecordingRow]:
        """An account's recordings, those of the newest calls first."""
        rows = self._reader.all(self._sql.recordings, account_id=account_id, limit=limit)
        return [RecordingRow(*row) for row in rows]

    def recording(self, wanted: str) -> RecordingRow | None:
        """The recording of that public name, or of the call with that id."""
        row = self._reader.one(self._sql.recording, wanted=wanted)
        return None if row is None else RecordingRow(*row)

    def _refuse_other_schema(self, path: Path) -> None:
        try:
            refuse_moved(self._reader.connection(), path)
            found = self._reader.one(self._sql.revision)
        except (DatabaseUnavailable, sqlite3.DatabaseError) as error:
            raise DatabaseUnusable(f"{path} cannot be read: {error.__cause__ or error}") from error
        if found in revisions()[:-1]:
            raise DatabaseUnusable(
                f"{path} is of an older Trunkline: trunkline up brings it up to date"
            )
        if found != revisions()[-1]:
            raise DatabaseUnusable(f"{path} is of a newer Trunkline: use that one")
