"""What the statements that both databases have in common ask of either: a reader, a writer, a dialect.

All of it is awaited. PostgreSQL answers over the network; SQLite answers at once, in the thread that
asks, so there a coroutine comes to its end without ever being suspended (``sqlite.driven``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from trunkline.delivery.webhook import Outgoing
from trunkline.events.stored import Announcement, StoredEvent
from trunkline.history.sums import GroupBy, Summed
from trunkline.store.ports.database import DatabaseUnavailable, Page
from trunkline.store.ports.history import CallFilter, CallKey, CallRow, Changed, Found

T = TypeVar("T")
Text = TypeVar("Text", str, str | None)
Connection = Any
Row = Sequence[Any]
Work = Callable[[Connection], Coroutine[Any, Any, T]]


class Again(DatabaseUnavailable):
    """Nothing of the transaction was written, and another try may succeed at once."""


class Reader(Protocol):
    """Reads; raises DatabaseUnavailable when it cannot. Queries are those of ``Dialect.named``."""

    async def one(self, query: Callable[..., Any], **parameters: Any) -> Any:
        """The row or value of a point read, or None."""

    async def all(self, query: Callable[..., Any], **parameters: Any) -> Sequence[Row]:
        """The rows of a read that is quick."""

    async def many(self, query: Callable[..., Any], **parameters: Any) -> Sequence[Row]:
        """The rows of a read that may take longer: in SQLite it is made in another thread."""

    async def run(self, work: Work[T]) -> T:
        """What ``work`` gives, which may take longer."""

    async def snapshot(self, work: Work[T]) -> T:
        """``run``, and all of it is read from one state of the database."""


class Writer(Protocol):
    """Runs work in transactions."""

    async def run(self, work: Work[T]) -> T:
        """What ``work`` gives, once it is on the disk.

        Raises what it raised, and then nothing of it is written; DatabaseUnavailable when the
        database cannot take it.
        """


class CallFinder(Protocol):
    """Finds the calls of one account on one connection, inside its transaction."""

    async def find(self, after: CallKey, limit: int) -> Found:
        """See ``ports.history.History.find``."""

    async def changed(self, after: int, limit: int) -> Changed:
        """See ``ports.history.History.changed``."""


class Dialect(Protocol):
    """What each database does in its own way, for the most part inside a transaction that is otherwise
    the same. A module is one: ``sqlite.dialect``, ``postgres.dialect``."""

    def named(self, subject: str, /) -> Any:
        """The statements of a subject, each awaited with (connection, **parameters)."""

    def storable(self, text: Text, /) -> Text:
        """The text as a row can hold it."""

    def searched(self, text: str, /) -> str:
        """A text to look for, where others are looked for beside it."""

    async def by_column(
        self, connection: Connection, query: Callable[..., Any], given: Mapping[str, Any], /
    ) -> dict[str, Any] | None:
        """The query's row by the names of its columns."""

    # ---- events and deliveries ----------------------------------------------------------------

    async def lock_accounts(self, connection: Connection, account_ids: Collection[str], /) -> Any:
        """Until the transaction ends, nobody else writes what is numbered in these accounts."""

    async def store_events(
        self, connection: Connection, announcements: Sequence[Announcement], /
    ) -> list[StoredEvent]:
        """Number the announcements, each in its account, and store them; the only way an event is made.

        What an account that is no more would have been told is left out.
        """

    async def queue_deliveries(
        self, connection: Connection, webhook_id: str, wanted: Sequence[Outgoing], now: int, /
    ) -> int:
        """Store deliveries, in order; gives how many. Due at once is the first of each lane that has
        none pending."""

    async def add_sip_rows(self, connection: Connection, rows: Sequence[dict[str, Any]], /) -> None:
        """Keep some messages of each of some calls."""

    # ---- finished calls -----------------------------------------------------------------------

    def Finder(  # noqa: N802
        self, connection: Connection, account_id: str, wanted: CallFilter, /
    ) -> CallFinder:
        """Finds calls."""

    async def read_page(
        self,
        connection: Connection,
        account_id: str,
        start: int,
        end: int,
        limit: int,
        page: int,
        /,
    ) -> Page:
        """Page ``page`` (from 1) of the calls that started in [start, end), newest first."""

    async def read_total(
        self, connection: Connection, account_id: str, start: int, end: int, /
    ) -> int:
        """How many calls started in [start, end)."""

    async def summed(
        self,
        connection: Connection,
        account_id: str,
        group: GroupBy,
        cuts: Sequence[int],
        most: int,
        /,
    ) -> Summed:
        """See ``ports.statistics.Statistics.summed``."""

    async def count_older(self, connection: Connection, calls: int, /) -> bool:
        """See ``ports.statistics.Statistics.count_older``."""

    async def index_calls(self, connection: Connection, rows: Sequence[CallRow], /) -> None:
        """Take calls of before this schema in, of locked accounts: they get numbers and are found."""

    async def add_terms(
        self, connection: Connection, terms: Sequence[tuple[int, str, int]], /
    ) -> None:
        """By (number of the account, term, time of start) calls are found, in the order of these."""

    async def drop_terms(
        self, connection: Connection, account_number: int, terms: Sequence[tuple[str, int]], /
    ) -> None:
        """By (term, time of start) no calls are found any more; there is at least one."""

    # ---- deleting -----------------------------------------------------------------------------

    async def lock_recordings(
        self, connection: Connection, asked: Mapping[str, Any], /
    ) -> list[str] | None:
        """Nobody else changes the recordings of the old calls that are asked for; before their account
        is locked. Gives the calls' ids, beyond which none may be deleted; None: all may."""

    async def lock_owners(self, connection: Connection, call_ids: Sequence[str], /) -> None:
        """Lock the accounts of these calls, as whoever holds one does."""

    async def delete_calls(
        self,
        connection: Connection,
        account_id: str,
        account_number: int,
        rows: Sequence[CallRow],
        /,
    ) -> None:
        """Delete calls of a locked account: records, ids, recordings, facts, SIP messages, counts, and
        their place in the order of changes; all but their terms."""
