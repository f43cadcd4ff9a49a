"""Move a live database to another one: copy it while it is written, follow it, compare it, switch.

The target says in the same transaction what was done to it, so a copy that
was killed anywhere goes on where it was, by the same steps. At the end nobody can write to both: the
source is marked as moved before the target is a database that can be opened.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, TypeVar

import msgspec
import stamina

from trunkline.store.copy.port import (
    CopyDiffers,
    CopySource,
    CopyTarget,
    LockedSnapshot,
    Snapshot,
    Standing,
    Table,
    TargetAway,
    TargetBusy,
)
from trunkline.store.copy.rows import Shape
from trunkline.store.ports.database import DatabaseUnavailable, DatabaseUnusable

T = TypeVar("T")
_ROUND_SECONDS = 2.0
"""While tables are copied, changes are taken over so often: they would pile up otherwise."""
_CAUGHT_UP = 500
"""With fewer changes in a round, the copy has caught up."""
_SHRINKS = 0.7
_FOLLOW_SECONDS = 1.0
_BUSY_SECONDS = 15.0

Step = Literal["copying", "indexing", "comparing", "following", "switching"]


class Progress(msgspec.Struct, frozen=True):
    """What is being done: ``done`` of about ``of`` rows or indexes. ``trouble``: why it is tried again."""

    step: Step
    what: str = ""
    done: int = 0
    of: int = 0
    trouble: str = ""


class CopyResult(msgspec.Struct, frozen=True):
    """What a run came to. ``moved``: the target is in use from now on; otherwise it follows."""

    moved: bool
    rows: Mapping[str, int] = {}
    checksums: Mapping[str, str] = {}
    """Of each table whose rows were all compared: SHA-256, hex."""
    copied: int = 0
    """Rows that this run has copied, without changes, and the seconds that this took."""
    seconds: float = 0.0


Tell = Callable[[Progress], None]
Alone = Callable[[], AbstractContextManager[bool]]
"""Holds the data directory within the block, and gives True; gives False while a server has it."""


class CopyDatabase:
    """One run, of as many as it takes. A target may be away for ``patience`` seconds."""

    def __init__(
        self,
        source: CopySource,
        target: CopyTarget,
        alone: Alone,
        tell: Tell,
        patience: float = 120.0,
    ) -> None:
        self._source, self._target, self._alone = source, target, alone
        self._tell, self._patience = tell, patience
        self._shapes: list[Shape] = []
        self._copied, self._seconds = 0, 0.0
        self._next_round = 0.0

    def run(self, wait: bool = False, compare: bool = False) -> CopyResult:
        """Copy, follow and compare, and switch as soon as no server runs; ``wait`` waits for that.

        ``compare`` compares every row again. Raises DatabaseUnavailable, after which the same run goes
        on where it was; DatabaseUnusable; CopyDiffers.
        """
        for attempt in stamina.retry_context(on=TargetBusy, timeout=_BUSY_SECONDS, attempts=None):
            with attempt:
                standing = self._target.standing()
        if self._source.moved() is not None:
            return self._finished(standing)
        self._begin(standing)
        self._copy()
        self._catch_up()
        self._build()
        self._catch_up()
        if compare or not self._standing().verified:
            self._compare()
        return self._switch_when_alone(wait)

    # ---- From nothing to a copy that follows -----------------------------------------------------

    def _begin(self, standing: Standing | None) -> None:
        tables = self._source.tables()
        if standing is None:
            id_ = secrets.token_hex(16)
            self._source.capture(id_)  # before the first row is read
            self._insist(lambda: self._begin_target(id_, tables))
            self._expect(tables)
        elif standing.id != self._source.id():
            raise DatabaseUnusable(
                f"{self._target.shown} holds an unfinished copy of another database, or of one that was"
                " ended: make the database anew, empty"
            )
        self._shapes = self._insist(lambda: self._target.shapes(tables))

    def _begin_target(self, id_: str, tables: Sequence[Table]) -> None:
        standing = self._target.standing()
        if standing is None or standing.id != id_:  # else only the answer was lost
            self._target.begin(id_, tables)

    def _expect(self, tables: Sequence[Table]) -> None:
        with self._source.snapshot() as snapshot:
            rows = {table.name: snapshot.count(table.name) for table in tables}
        self._insist(lambda: self._target.expect(rows))

    def _copy(self) -> None:
        """Each table by chunks, in the order of its key."""
        begun = time.monotonic()
        for shape in self._shapes:
            while not self._insist(lambda shape=shape: self._next_chunk(shape)):  # type: ignore[misc]
                if time.monotonic() > self._next_round:
                    self._insist(self._round)
                    self._next_round = time.monotonic() + _ROUND_SECONDS
        self._seconds = time.monotonic() - begun

    def _next_chunk(self, shape: Shape) -> bool:
        """Copy a chunk; returns whether the table is whole."""
        standing = self._standing()
        table = standing.tables[shape.table]
        if table.whole:
            return True
        done = sum(each.rows for each in standing.tables.values())
        of = sum(max(each.rows, each.expected) for each in standing.tables.values())
        self._tell(Progress("copying", shape.table, done, of))
        chunk = self._source.chunk(shape, table.last)
        self._target.load(shape, chunk)
        self._copied += chunk.rows
        return chunk.ends

    def _build(self) -> None:
        """Right after a round: rows that are unique are so in one state, not across several."""
        names = self._insist(self._target.unbuilt)
        for done, name in enumerate(names):
            self._tell(Progress("indexing", name, done, len(names)))
            self._insist(lambda name=name: self._target.build(name))  # type: ignore[misc]

    # ---- Following -------------------------------------------------------------------------------

    def _round(self) -> int:
        """Take over the changes; returns how many there were."""
        with self._source.snapshot() as snapshot:
            changes = self._target.apply(snapshot, self._shapes)
            newest = snapshot.newest
        if changes:
            self._source.trim(newest)
        return changes

    def _catch_up(self) -> None:
        """Until few changes are left, or not fewer than a round ago: a busy server goes on writing."""
        before, changes = 0, self._insist(self._round)
        while changes > _CAUGHT_UP and (not before or changes < before * _SHRINKS):
            before, changes = changes, self._insist(self._round)

    # ---- Comparing -------------------------------------------------------------------------------

    def _compare(self) -> None:
        """Every row, in one state of the source and in the target as of the same change."""
        self._insist(self._compare_all)

    def _compare_all(self) -> None:
        with self._source.snapshot() as snapshot:
            self._target.apply(snapshot, self._shapes)
            of, done = sum(each.expected for each in self._standing().tables.values()), 0
            for shape in self._shapes:
                count = 0
                for count in self._target.compare(snapshot, shape):
                    self._tell(
                        Progress("comparing", shape.table, done + count, max(of, done + count))
                    )
                done += count
        self._target.note_verified()

    # ---- Switching -------------------------------------------------------------------------------

    def _switch_when_alone(self, wait: bool) -> CopyResult:
        while True:
            with self._alone() as alone:
                if alone:
                    return self._switch()
            if not wait:
                return self._outcome(False)
            self._tell(Progress("following"))
            time.sleep(_FOLLOW_SECONDS)
            self._catch_up()

    def _switch(self) -> CopyResult:
        """Nobody writes now: the last changes, the numbers of rows, and what only a whole database has."""
        self._tell(Progress("switching"))
        self._catch_up()
        with self._source.held() as held:
            rows = self._insist(lambda: self._last(held))
            held.mark_moved(self._target.shown, time.time_ns() // 1000)
        outcome = self._outcome(True, rows)
        self._finish()
        return outcome

    def _last(self, held: LockedSnapshot) -> Mapping[str, int]:
        self._target.apply(held, self._shapes)
        rows = {shape.table: self._counted(held, shape.table) for shape in self._shapes}
        self._target.link(held.sequences())
        return rows

    def _counted(self, snapshot: Snapshot, table: str) -> int:
        there, copied = snapshot.count(table), self._target.count(table)
        if there != copied:
            raise CopyDiffers(f"{table} has {there} rows, and the target {copied}")
        return there

    def _finished(self, standing: Standing | None) -> CopyResult:
        """The source is marked already: do what a killed run has left to do."""
        to = self._source.moved()
        if standing is None and (to != self._target.shown or not self._target.is_in_use()):
            raise DatabaseUnusable(
                f"this database has been moved to {to}: trunkline db copy --abort takes it into use again"
            )
        if standing is not None and standing.id != self._source.id():
            raise DatabaseUnusable(
                f"{self._target.shown} holds an unfinished copy of another database"
            )
        if standing is not None:
            self._finish()
        else:
            self._source.release()
        return CopyResult(True)

    def _finish(self) -> None:
        self._insist(self._target.finish)
        self._source.release()

    # ---- What all steps have in common -----------------------------------------------------------

    def _outcome(self, moved: bool, rows: Mapping[str, int] | None = None) -> CopyResult:
        checksums = self._insist(self._target.checksums)
        if rows is None:
            rows = {name: table.rows for name, table in self._standing().tables.items()}
        return CopyResult(moved, rows, checksums, self._copied, self._seconds)

    def _standing(self) -> Standing:
        standing = self._target.standing()
        if standing is None:
            raise DatabaseUnusable(f"the copy in {self._target.shown} was removed meanwhile")
        return standing

    def _insist(self, step: Callable[[], T]) -> T:
        """Do it again for a while if the target is away; each step knows what is done already."""
        try:
            for attempt in stamina.retry_context(
                on=TargetAway, attempts=None, timeout=self._patience, wait_max=5.0
            ):
                with attempt:
                    return self._telling(step)
        except TargetAway as error:
            raise DatabaseUnavailable(
                f"{error}: start the same command again, and it goes on where it was"
            ) from error
        raise AssertionError

    def _telling(self, step: Callable[[], T]) -> T:
        try:
            return step()
        except TargetAway as error:
            self._tell(Progress("following", trouble=str(error)))
            raise


def abort(source: CopySource, target: CopyTarget | None) -> bool:
    """End a copy, or take a moved source into use again; False where there is neither.

    An unfinished copy in the target is removed if it is this one, or the source knows of none (it was
    ended before). Nothing is lost by that: its source still has everything.
    """
    id_, was_moved = source.id(), source.moved() is not None
    if target is not None:
        standing = target.standing()
        if standing is not None and id_ is not None and standing.id != id_:
            raise DatabaseUnusable(f"{target.shown} holds an unfinished copy of another database")
        if standing is not None:
            target.clear()
    source.abort()
    return id_ is not None or was_moved
