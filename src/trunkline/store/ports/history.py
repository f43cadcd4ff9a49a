"""What may be asked of the history beyond its pages: finding calls, following changes, notes and tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple, Protocol

import msgspec
from msgspec import Meta

from trunkline.calls.facts import AnyFact, Class, Direction
from trunkline.calls.record import CallRecord, StatusDetail
from trunkline.calls.words import RecordingStatus
from trunkline.delivery.webhook import Delivery
from trunkline.events.stored import StoredEvent
from trunkline.history.terms import (
    DID,
    NUMBER,
    REF,
    TAG,
    TRUNK,
    USER,
    Lookup,
    of_number,
    of_text,
    of_value,
    terms_of,
)

FIRST, LAST = -(1 << 62), 1 << 62
"""Before and after every time."""
LONGEST_CALL = 1 << 31
"""Seconds that no call takes."""


class CallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls: those that everything here holds of. Calls started in [start, end)."""

    start: int = FIRST
    end: int = LAST
    text: str | None = None
    number: str | None = None
    did: str | None = None
    user: str | None = None
    trunk: str | None = None
    tag: str | None = None
    client_ref: str | None = None
    call_id: str | None = None
    class_: Class | None = None
    direction: Direction | None = None
    statuses: tuple[StatusDetail, ...] = ()
    duration: tuple[int, int] = (0, LONGEST_CALL)
    billing: tuple[int, int] = (0, LONGEST_CALL)
    has_recording: bool | None = None
    hold: bool | None = None

    def lookups(self) -> list[Lookup]:
        """What it asks of the terms of a call."""
        return list(self._lookups())

    def _lookups(self) -> Iterator[Lookup]:
        for kind, number in ((NUMBER, self.number), (DID, self.did)):
            if number is not None:
                yield of_number(kind, number)
        for kind, value in (
            (USER, self.user),
            (TRUNK, self.trunk),
            (TAG, self.tag),
            (REF, self.client_ref),
        ):
            if value is not None:
                yield of_value(kind, value)
        yield from of_text(self.text) if self.text is not None else ()

    @property
    def by_time_only(self) -> bool:
        """Does it ask for nothing but a time of start? Then the counts know how many there are."""
        return self == CallFilter(start=self.start, end=self.end)


class CallRow(CallRecord, frozen=True, kw_only=True):
    """A finished call with what people noted of it."""

    note: str = ""
    tags: tuple[str, ...] = ()
    update: Annotated[int, Meta(description="The number of its last change.")]
    hold: Annotated[
        bool, Meta(description="On legal hold: it is not deleted, whatever its age.")
    ] = False

    @property
    def key(self) -> CallKey:
        """Its place in the history."""
        return CallKey(self.started_at, self.call_id)

    def terms(self) -> set[str]:
        """What it is found by."""
        return terms_of(
            self.caller,
            self.callee,
            self.did_number,
            self.trunk,
            self.client_ref,
            self.note,
            self.tags,
        )


class CallKey(NamedTuple):
    """A call's place in the history, which is ordered by this."""

    started_at: int
    call_id: str


NEWEST = CallKey(LAST, "")
"""Where the history begins, newest first."""


class Found(msgspec.Struct, frozen=True):
    """Calls, newest first, and where to go on; ``rest`` None: there are no more.

    Where much had to be passed over, there may be few rows, or none, and yet a ``rest``.
    """

    rows: Sequence[CallRow]
    rest: CallKey | None


class Changed(msgspec.Struct, frozen=True):
    """Calls in the order of their last change, and the number up to which all have been looked at."""

    rows: Sequence[CallRow]
    upto: int
    more: bool


class WholeCall(msgspec.Struct, frozen=True):
    """All that is kept of a call. ``row`` is None while it lives."""

    row: CallRow | None
    facts: tuple[AnyFact, ...]
    """Its journal, in order; empty when that is kept no more."""
    events: tuple[StoredEvent, ...]
    deliveries: tuple[Delivery, ...]
    recording: RecordingFile | None = None


class RecordingFile(msgspec.Struct, frozen=True):
    """What has become of a call's recording."""

    name: str
    state: RecordingStatus
    bytes: int
    seconds: float


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """A change of what people noted of a call; None and () leave as it is."""

    hold: bool | None = None
    note: str | None = None
    tags: tuple[str, ...] | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()

    def applied(self, note: str, tags: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """(note, tags) after it; tags are in the order in which they were put on."""
        kept = list(tags if self.tags is None else self.tags)
        kept = [tag for tag in (*kept, *self.add_tags) if tag not in self.remove_tags]
        return note if self.note is None else self.note, tuple(dict.fromkeys(kept))


class TooManyTags(Exception):
    """A call cannot have so many."""


MOST_TAGS = 20
"""Tags of one call."""


class History(Protocol):
    """The finished calls of an account, found, followed and annotated.

    Reads do bounded work, at any number of calls: they look at no more than a few thousand calls
    and say where to go on.
    """

    async def find(self, account_id: str, wanted: CallFilter, after: CallKey, limit: int) -> Found:
        """At most ``limit`` calls that follow ``after``, newest first; ``NEWEST`` begins."""

    async def changed(self, account_id: str, wanted: CallFilter, after: int, limit: int) -> Changed:
        """At most ``limit`` calls whose last change has a number above ``after``, in its order.

        Numbers are taken in the transaction that changes, and become visible in their order: who
        goes on from ``upto`` misses none.
        """

    async def total(self, account_id: str, start: int, end: int) -> int:
        """How many calls started in [start, end), from the counts."""

    async def whole(self, account_id: str, call_id: str, events: int, deliveries: int) -> WholeCall:
        """A call, live or finished, with at most so many events (the first) and deliveries (the last).

        One of another account, or of none, has neither a row nor facts.
        """

    async def mark(self, account_id: str, call_id: str, marks: Marks, now: int) -> CallRow | None:
        """Change a finished call's note, tags and hold; None if there is none. Raises TooManyTags.

        What is so already changes nothing. When a hold ends, the call's events that stand before the
        beginning of its account's log go at once.
        """

    async def index(self, limit: int) -> int:
        """Take at most ``limit`` calls of before this schema into the index and the order of changes.

        Gives how many were looked at; 0: all are in. To be repeated, also after a crash.
        """
