"""What may be asked of a database about deleting what is older than it is kept.

Every deletion is a step: one small transaction, after which everything agrees with everything else
(a call goes with its counts, terms, facts and its recording's row), so that a process may die between
any two. Nothing of an account on hold is deleted, nor of a call on hold; who holds and who deletes
wait for each other, so a hold that was acknowledged holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

Kind = Literal["recordings", "calls", "events", "deliveries"]
"""What is kept by account; ``deliveries`` are those of webhooks, their attempts with them."""
KINDS: tuple[Kind, ...] = ("recordings", "calls", "events", "deliveries")

RetentionCursor = tuple[int, int | str]
"""How far a run of steps has come; only the database knows what it means."""


class KeepDays(msgspec.Struct, frozen=True):
    """For how many days an account keeps things; 0: for good; None: as the installation says."""

    account_id: str
    name: str
    held: bool
    calls: int | None
    events: int | None
    recordings: int | None


class Slice(NamedTuple):
    """How many rows went, and where the next step begins; None: nothing is left to look at."""

    rows: int
    after: RetentionCursor | None


class Removal(msgspec.Struct, frozen=True):
    """A recording that is no more; its file and its raw audio (base names) are to be removed."""

    name: str
    raws: tuple[str, ...]


class Retention(Protocol):
    """Deleting what is too old."""

    async def limits(self) -> list[KeepDays]:
        """Every account's, by name."""

    async def due(self, account_id: str, kind: Kind, before: int) -> int:
        """How many rows of a kind would go. Unlike a step, this may look at very many."""

    async def delete(
        self,
        account_id: str,
        kind: Kind,
        before: int,
        after: RetentionCursor | None,
        limit: int,
        now: int,
    ) -> Slice:
        """Delete the account's rows of a kind from before a time, looking at ``limit`` at most.

        Calls count by their start, recordings by the end of their call. Recordings become removals,
        and their calls' records name none then, which is a change of the call at ``now``. Of events
        only the log's beginning goes, so that what is replayed has no gap. Statistics stay; calls
        that are not counted in them yet stay, too.
        """

    async def facts_due(self, before: int, after: int, limit: int) -> tuple[int, int, int | None]:
        """Of the ``limit`` facts that follow ``after``: how many are from before that time, how many
        of them would go, and the last one's number (None: there are none)."""

    async def delete_facts(self, before: int, after: int, upto: int) -> int:
        """Delete the facts in (after, upto] from before that time; those of live calls stay."""

    async def delete_spent(self, now: int, limit: int) -> int:
        """Delete at most ``limit`` idempotency keys and as many tokens that have run out."""

    async def removals(self, now: int, after: str, limit: int) -> list[Removal]:
        """Files that may be removed at ``now``, in the order of their names, after a name."""

    async def removed(self, names: Sequence[str]) -> None:
        """The files of these are gone."""

    async def tidy(self, now: int) -> int:
        """What the database itself keeps beside; gives how many tables of old months went."""

    async def account_of(self, call_id: str) -> str | None:
        """Whose a finished call is."""
