"""What copying a database asks of the one it reads (SQLite) and the one it writes (PostgreSQL)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec

from trunkline.store.copy.rows import Shape
from trunkline.store.ports.database import DatabaseUnavailable, DatabaseUnusable

Key = Sequence[Any]
"""A row's primary key."""


class TargetAway(DatabaseUnavailable):
    """The target cannot be used at the moment; what was under way is not written, or stands written."""


class TargetBusy(TargetAway):
    """Another copy writes to it; one that was killed may do so for a moment."""


class CopyDiffers(DatabaseUnusable):
    """A row or a count of the target is not what was copied; the message says which."""


class Chunk(msgspec.Struct, frozen=True):
    """Rows that follow each other by their keys, encoded; ``times`` of a table kept by months."""

    rows: int
    data: bytes
    last: Key | None
    """The key of the last row; None where there is none."""
    ends: bool
    """No row follows now."""
    times: frozenset[int] = frozenset()


class Table(msgspec.Struct, frozen=True):
    """A table of the source: its columns, and which of them are its key, in order."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


class Copied(msgspec.Struct, frozen=True):
    """How far a table is copied: up to a key, or whole."""

    last: Key | None
    whole: bool
    rows: int
    expected: int


class Standing(msgspec.Struct, frozen=True):
    """What the target says of the copy that is under way in it."""

    id: str
    applied: int
    """The number of the last change that is in it."""
    built: bool
    """Its indexes are there."""
    verified: bool
    """Every row was compared."""
    tables: Mapping[str, Copied]


class Snapshot(Protocol):
    """One state of the source."""

    newest: int
    """The number of the last change that is in it."""

    def changed(self, shape: Shape, after: int, copied: Copied) -> Iterator[Key]:
        """The keys of rows that were changed since, once each, of those that are copied."""

    def encoded(self, shape: Shape, keys: Iterator[Key]) -> Iterator[bytes]:
        """The rows with these keys, as they are; those that are no more are left out."""

    def changes(self, after: int) -> Mapping[str, int]:
        """Tables that were changed since, with about how many changes."""

    def count(self, table: str) -> int:
        """How many rows it has."""

    def segments(self, shape: Shape) -> list[Any]:
        """Every value of the key's first column."""

    def rows(self, shape: Shape, first: Any = None) -> Iterator[bytes]:
        """All rows, or those of one segment, encoded, in the order of their keys (by bytes)."""

    def sequences(self) -> Mapping[str, int]:
        """Table -> the last number that was given out."""


class LockedSnapshot(Snapshot, Protocol):
    """A state that stays: nobody else writes."""

    def mark_moved(self, to: str, at: int) -> None:
        """From the end of the block on, nobody opens or writes the source any more."""


class CopySource(Protocol):
    """The database that is copied. Every method raises DatabaseUnavailable, DatabaseUnusable."""

    def id(self) -> str | None:
        """Of the copy that is under way; None where there is none."""

    def moved(self) -> str | None:
        """Where it was moved to; None where it is in use."""

    def tables(self) -> list[Table]:
        """All that is to be copied."""

    def capture(self, id_: str) -> None:
        """From now on, note the key of every row that is changed, under this copy's id."""

    def release(self) -> None:
        """Note nothing any more; a moved database stays moved."""

    def abort(self) -> None:
        """As it was before any copy; a moved database is in use again."""

    def chunk(self, shape: Shape, after: Key | None) -> Chunk:
        """The rows that follow a key, read from one state."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """One state of it, while it goes on being written."""

    def held(self) -> AbstractContextManager[LockedSnapshot]:
        """Its state, with everybody else who writes waiting; raises DatabaseUnavailable."""

    def trim(self, applied: int) -> None:
        """Forget changes that are in the target; does nothing while others write for long."""


class CopyTarget(Protocol):
    """The database that is written. Every method raises TargetAway, DatabaseUnusable."""

    shown: str
    """For people: without user and password."""

    def standing(self) -> Standing | None:
        """How far the copy in it is; None where there is none."""

    def is_in_use(self) -> bool:
        """Is there anything of Trunkline's in it?"""

    def begin(self, id_: str, tables: Sequence[Table]) -> None:
        """Make an empty database ready; raises DatabaseUnusable for any other."""

    def shapes(self, tables: Sequence[Table]) -> list[Shape]:
        """How the rows of each table are encoded."""

    def expect(self, rows: Mapping[str, int]) -> None:
        """About how many rows each table will have."""

    def load(self, shape: Shape, chunk: Chunk) -> None:
        """Write a chunk, and how far the table is with it, in one transaction."""

    def apply(self, snapshot: Snapshot, shapes: Sequence[Shape]) -> int:
        """Bring it to the snapshot's state, read it back, in one transaction; gives how many changes.

        Raises CopyDiffers, and then nothing is written.
        """

    def unbuilt(self) -> list[str]:
        """The indexes that are still to be made, once all tables are whole."""

    def build(self, name: str) -> None:
        """Make an index."""

    def compare(self, snapshot: Snapshot, shape: Shape) -> Iterator[int]:
        """Compare every row, telling how many were; ends with its checksum noted. Raises CopyDiffers."""

    def count(self, table: str) -> int:
        """How many rows it has."""

    def note_verified(self) -> None:
        """Every row was compared."""

    def checksums(self) -> Mapping[str, str]:
        """Table -> SHA-256 of all rows when they were compared, hex."""

    def link(self, sequences: Mapping[str, int]) -> None:
        """What only a whole database has: foreign keys, and sequences that go on."""

    def finish(self) -> None:
        """It is a database like any other."""

    def clear(self) -> None:
        """Remove an unfinished copy, so that the database is empty."""
