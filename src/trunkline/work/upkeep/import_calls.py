"""Bring the call history of another phone system into an account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Protocol
from zoneinfo import ZoneInfo

import msgspec

from trunkline.calls.facts import Party
from trunkline.calls.record import CallRecord
from trunkline.history.imports.fold import fold
from trunkline.history.imports.formats import FORMATS
from trunkline.history.imports.gather import Gather, Whole
from trunkline.history.imports.leg import Reason, Skipped
from trunkline.history.imports.people import People
from trunkline.history.imports.source import ForeignHistory
from trunkline.store.ports.history import FIRST

_BATCH = 250
"""Calls in one transaction: so few that a server that writes at the same time hardly waits."""
_MOST_UNKNOWN = 1000


class CallWriter(Protocol):
    def write(self, records: Sequence[CallRecord]) -> list[bool]:
        """Write them in one transaction; for each, whether it was new. Raises DatabaseUnavailable."""


class ImportCounts(msgspec.Struct, rename="camel"):
    """What an import came to. ``unknown`` counts the extensions that are no user of the account."""

    rows: int = 0
    calls: int = 0
    added: int = 0
    already_there: int = 0
    skipped: Counter[Reason] = msgspec.field(default_factory=Counter)
    recordings_left: int = 0
    formats: Counter[str] = msgspec.field(default_factory=Counter)
    unknown: Counter[str] = msgspec.field(default_factory=Counter)


class ImportRequest(msgspec.Struct, frozen=True):
    """What is imported, and how to read it; ``form`` None recognises each file's format.

    Calls that started before ``oldest`` (unix microseconds) are left out, since the account does not keep
    them: they would be deleted, and the next import would count them in the statistics again.
    """

    account_id: str
    people: People
    zone: ZoneInfo
    form: str | None = None
    renamed: dict[str, str] = {}
    oldest: int = FIRST


Note = Callable[[str, int, Skipped], None]
"""Called for each row or call that is not taken: its file, its line, and why."""


class ImportCalls:
    """Imports files one after the other as one stream, so that the rows of a call may stand in two of them."""

    def __init__(self, wanted: ImportRequest, writer: CallWriter, note: Note) -> None:
        self._wanted, self._writer, self._note = wanted, writer, note
        self._gather = Gather()
        self._batch: list[tuple[CallRecord, Whole]] = []
        self._form = ""
        self.tally = ImportCounts()

    def file(self, name: str, opened: BinaryIO) -> Iterator[int]:
        """Import a file; yields the number of rows so far now and then. Raises NotRecognised."""
        wanted = self._wanted
        source = ForeignHistory(opened, wanted.form, wanted.zone, wanted.renamed)
        if source.form != self._form:
            self.finish()
            self._form = source.form
        self.tally.formats[source.form] += 1
        for line, leg in source.legs():
            self.tally.rows += 1
            if isinstance(leg, Skipped):
                self._skip(name, line, leg)
            elif FORMATS[source.form].folds:
                self._take(self._gather.add(leg, name, line))
            else:
                self._take(iter([Whole([leg], name, line)]))
            if self.tally.rows % _BATCH == 0:
                yield self.tally.rows

    def finish(self) -> None:
        """Write what is still held; call it after the last file."""
        self._take(self._gather.rest())
        self._write()

    def _take(self, whole: Iterator[Whole]) -> None:
        wanted = self._wanted
        for each in whole:
            self.tally.calls += 1
            record = fold(each.legs, wanted.people, wanted.account_id, self._form)
            if record.started_at < wanted.oldest:
                self._skip(each.file, each.line, Skipped("too_old", record.call_id))
                continue
            self._batch.append((record, each))
            if len(self._batch) >= _BATCH:
                self._write()

    def _write(self) -> None:
        if not self._batch:
            return
        new = self._writer.write([record for record, _ in self._batch])
        for (record, whole), was_new in zip(self._batch, new, strict=True):
            if was_new:
                self._count(record, whole)
            else:
                self.tally.already_there += 1
                already = Skipped("already_there", record.call_id)
                self._note(whole.file, whole.line, already)
        self._batch.clear()

    def _count(self, record: CallRecord, whole: Whole) -> None:
        self.tally.added += 1
        self.tally.recordings_left += any(leg.recorded for leg in whole.legs)
        for party in (record.caller, record.callee):
            if _is_unknown(party) and len(self.tally.unknown) < _MOST_UNKNOWN:
                self.tally.unknown[party.number] += 1

    def _skip(self, name: str, line: int, skipped: Skipped) -> None:
        self.tally.skipped[skipped.reason] += 1
        self._note(name, line, skipped)


def _is_unknown(party: Party) -> bool:
    """A short number that is no user's."""
    return party.user_id is None and len(party.number) <= 5 and party.number.isdigit()
