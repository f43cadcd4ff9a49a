"""Finding calls at bounded cost, however many there are (see ``ports.history.History``).

Of what is asked of the terms, that which the fewest calls have leads: its calls are gone through
newest first, and the rest is tested on each. Where nothing leads (only a status, say, or a prefix
that very many different numbers have), the calls themselves are gone through. Either way a request
looks at no more than a few thousand calls, and says where to go on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, ClassVar, TypeVar

from trunkline.history.terms import Lookup
from trunkline.store.common.call_rows import call_row
from trunkline.store.common.dialect import Connection
from trunkline.store.ports.history import CallFilter, CallKey, CallRow, Changed, Found

T = TypeVar("T")
MOST_COUNTED = 1000
"""Calls of a term are counted so far: what has more leads as badly."""

Candidate = tuple[CallKey, bool]
"""A call that is to be looked at, and whether what is asked of its columns may hold."""
Candidates = Callable[[CallKey, int], Awaitable[Sequence[Candidate]]]
"""At most so many that follow a key, newest first."""


class Finder(ABC):
    """Finds the calls of one account on one connection, inside its transaction."""

    most_terms: ClassVar[int]
    """Different terms with one prefix that are gone through side by side."""
    chunks: ClassVar[tuple[int, ...]]
    """Calls that are looked at in one go, and then in the next one, where each may have to be passed over."""

    def __init__(self, connection: Connection, account_id: str, wanted: CallFilter) -> None:
        self._sql = self._named("finding")
        self._indexed = self._named("marking")
        self._connection = connection
        self._account_id = account_id
        self._wanted = wanted
        self._lookups = wanted.lookups()
        self._span = {"low": wanted.start, "high": wanted.end}
        self._plain = _plain(wanted)

    async def find(self, after: CallKey, limit: int) -> Found:
        """At most ``limit`` calls that follow ``after``, newest first."""
        after = min(after, CallKey(self._wanted.end, ""))
        if self._wanted.call_id is not None:
            return await self._found(self._of_id, after, limit)
        if self._wanted.hold:
            return await self._found(self._held, after, limit)
        number = await self._indexed.number_of(self._connection, account_id=self._account_id)
        terms = None if number is None else await self._leading(number)
        if terms is None:
            return await self._gone_through(after, limit)
        return await self._found(self._with(number, terms, after), after, limit)

    async def changed(self, after: int, limit: int) -> Changed:
        """At most ``limit`` calls whose last change has a number above ``after``, in its order."""
        rows: list[CallRow] = []
        sizes = (limit + 1,) if self._wanted == CallFilter() else self.chunks
        most = sum(sizes)
        keys = await self._ask("keys_changed", after=after, most=most + 1)
        for chunk in _chunked(keys[:most], sizes):
            found = await self._rows([CallKey(at, id_) for _, at, id_ in chunk])
            rows += [row for row in found if self._meets(row)]
            after = chunk[-1][0]
            if len(rows) >= limit:
                break
        return _changes(rows, limit, after, bool(keys) and after < keys[-1][0])

    # ---- what leads ---------------------------------------------------------------------------

    async def _leading(self, number: int) -> list[str] | None:
        """The terms to go through; None: no lookup will do."""
        if not self._lookups or await self._indexed.indexed_to(self._connection) is not None:
            return None
        each = [await self._terms(number, lookup) for lookup in self._lookups]
        known = [terms for terms in each if terms is not None]
        if not known or len(each) == 1:
            return known[0] if known else None
        costs = [await self._counted(number, terms) for terms in known]
        return known[costs.index(min(costs))]

    async def _terms(self, number: int, lookup: Lookup) -> list[str] | None:
        """Every term that is there and would do; None for too many."""
        terms = list(lookup.terms)
        for low, high in lookup.ranges:
            most, which = self.most_terms + 1 - len(terms), {"account_number": number}
            found = await self._sql.terms_between(
                self._connection, low=low, high=high, most=most, **which
            )
            terms += [term for (term,) in found]
            if len(terms) > self.most_terms:
                return None
        return terms

    @staticmethod
    @abstractmethod
    def _named(subject: str) -> Any:
        """See ``Dialect.named``."""

    @staticmethod
    def _searched(text: str) -> str:
        return text

    @abstractmethod
    async def _counted(self, number: int, terms: Sequence[str]) -> int:
        """How many calls about have one of the terms, as far as it is worth counting."""

    @abstractmethod
    def _with(self, number: int, terms: Sequence[str], after: CallKey) -> Candidates:
        """The calls that follow ``after`` and started when calls with one of the terms did."""

    async def _of_id(self, after: CallKey, most: int) -> Sequence[Candidate]:
        found = await self._ask("key_of", call_id=self._searched(self._wanted.call_id or ""))
        return [(CallKey(*key), True) for key in found if CallKey(*key) < after][:most]

    async def _held(self, after: CallKey, most: int) -> Sequence[Candidate]:
        at, id_ = after
        found = await self._ask("keys_held", at=at, id=id_, low=self._wanted.start, most=most)
        return [(CallKey(*key), True) for key in found]

    # ---- going through ------------------------------------------------------------------------

    async def _found(self, candidates: Candidates, after: CallKey, limit: int) -> Found:
        """Those of the candidates that are wanted."""
        rows: list[CallRow] = []
        last: CallKey | None = after
        for size in self._sizes(limit, self._lookups[1:]):
            chunk = await candidates(last or after, size)
            found = await self._rows([key for key, wanted in chunk if wanted])
            rows += _newest_first([row for row in found if self._meets(row)])
            last = chunk[-1][0] if len(chunk) == size else None
            if last is None or len(rows) > limit:
                break
        return _page(rows, limit, last)

    async def _gone_through(self, after: CallKey, limit: int) -> Found:
        """The calls of the account that are wanted."""
        rows: list[CallRow] = []
        begin, last = after, None
        for size in self._sizes(limit, self._lookups):
            last = await self._key_at(begin, size)
            if self._lookups:
                found = await self._rows_after(begin, last, size)
                rows += [row for row in found if self._meets(row)]
            else:
                rows += await self._rows_after(begin, last, limit + 1 - len(rows))
            if last is None or len(rows) > limit:
                break
            begin = last
        return _page(rows, limit, last)

    async def _key_at(self, after: CallKey, size: int) -> CallKey | None:
        found = await self._sql.key_at(
            self._connection,
            account_id=self._account_id,
            low=self._wanted.start,
            at=after.started_at,
            id=after.call_id,
            skip=size - 1,
        )
        return None if found is None else CallKey(*found)

    async def _rows_after(self, after: CallKey, last: CallKey | None, most: int) -> list[CallRow]:
        last = last or CallKey(self._wanted.start, "")
        found = await self._ask(
            "rows_after",
            at=after.started_at,
            id=after.call_id,
            last_at=last.started_at,
            last_id=last.call_id,
            most=most,
            **self._plain,
        )
        return [call_row(row) for row in found]

    async def _rows(self, keys: Sequence[CallKey]) -> list[CallRow]:
        """The calls with these keys, in any order, of which all holds that is asked of the columns."""
        found = await self._ask("rows_of", **self._given(keys), **self._span, **self._plain)
        return [call_row(row) for row in found]

    @staticmethod
    @abstractmethod
    def _given(keys: Sequence[CallKey]) -> dict[str, Any]:
        """The keys as ``rows_of`` takes them."""

    def _sizes(self, limit: int, tested: Sequence[Lookup]) -> Sequence[int]:
        """Of the chunks to be looked at; the first will do where every call in it is wanted."""
        return self.chunks if tested or self._plain != _PLAIN else (limit + 1, *self.chunks)

    def _meets(self, row: CallRow) -> bool:
        """Is it a call of the id that is wanted (None: any), that all lookups hold for?"""
        if self._wanted.call_id not in (None, row.call_id):
            return False
        if not self._lookups:
            return True
        terms = row.terms()
        return all(lookup.holds(terms) for lookup in self._lookups)

    async def _ask(self, name: str, **parameters: Any) -> list[Any]:
        query = getattr(self._sql, name)
        return list(await query(self._connection, account_id=self._account_id, **parameters))


def _plain(wanted: CallFilter) -> dict[str, Any]:
    """What is asked of the columns; None asks nothing."""
    return {
        "class_": wanted.class_,
        "direction": wanted.direction,
        "statuses": list(wanted.statuses) or None,
        "shortest": wanted.duration[0],
        "longest": wanted.duration[1],
        "billed_from": wanted.billing[0],
        "billed_to": wanted.billing[1],
        "recorded": wanted.has_recording,
        "held": wanted.hold,
    }


_PLAIN = _plain(CallFilter())


def _newest_first(rows: Sequence[CallRow]) -> list[CallRow]:
    return sorted(rows, key=lambda row: row.key, reverse=True)


def _chunked(keys: Sequence[T], sizes: Sequence[int]) -> Iterator[Sequence[T]]:
    """The keys in chunks of these sizes, none of them empty; what goes beyond is left out."""
    at = 0
    for size in sizes:
        if chunk := keys[at : at + size]:
            yield chunk
        at += size


def _page(rows: Sequence[CallRow], limit: int, last: CallKey | None) -> Found:
    """``last`` is the last key that was looked at; None: there are no more."""
    if len(rows) > limit:
        return Found(rows[:limit], rows[limit - 1].key)
    return Found(rows, last)


def _changes(rows: Sequence[CallRow], limit: int, upto: int, more: bool) -> Changed:
    """The calls in the order of their changes.

    ``upto`` is the number up to which all was looked at; ``more``: something changed after it.
    """
    rows = sorted(rows, key=lambda row: row.update)
    if len(rows) > limit:
        return Changed(rows[:limit], rows[limit - 1].update, True)
    return Changed(rows, upto, more)
