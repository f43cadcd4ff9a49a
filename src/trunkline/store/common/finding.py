"""Finding calls at bounded cost, however many there are (see ``db.history_port.History``).

Of what is asked of the terms, that which the fewest calls have leads: its calls are gone through
newest first, and the rest is tested on each. Where nothing leads (only a status, say, or a prefix
that very many different numbers have), the calls themselves are gone through. Either way a request
looks at no more than ``MOST_LOOKED_AT`` calls, and says where to go on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from trunkline.history.terms import Lookup
from trunkline.store.common.call_rows import call_row, changes, chunked, meets, newest_first, page
from trunkline.store.ports.history import CallFilter, CallKey, CallRow, Changed, Found
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.text import searched

MOST_LOOKED_AT = 4000
"""Calls that one request looks at where each may have to be passed over."""
MOST_TERMS = 64
"""Different terms with one prefix that are gone through side by side."""
_COUNTED = 1000
_CHUNKS = (200, 800, 3000)

Keys = Callable[[CallKey, int], Awaitable[list[CallKey]]]
"""At most so many keys that follow one, newest first."""


class Finder:
    """Finds the calls of one account on one connection, inside its transaction."""

    def __init__(self, connection: Connection, account_id: str, wanted: CallFilter) -> None:
        self._connection = connection
        self._account_id = account_id
        self._wanted = wanted
        self._lookups = wanted.lookups()
        self._sql = named("finding")
        self._span = {"low": wanted.start, "high": wanted.end}
        self._plain = _plain(wanted)

    async def find(self, after: CallKey, limit: int) -> Found:
        """At most ``limit`` calls that follow ``after``, newest first."""
        after = min(after, CallKey(self._wanted.end, ""))
        if self._wanted.call_id is not None:
            return await self._found(self._of_id, self._lookups, after, limit)
        if self._wanted.hold:
            return await self._found(self._held, self._lookups, after, limit)
        number = await self._sql.number_of(self._connection, account_id=self._account_id)
        terms = None if number is None else await self._leading(number)
        if terms is None:
            return await self._gone_through(after, limit)

        async def keys(before: CallKey, most: int) -> list[CallKey]:
            return await self._with(number, terms, before, most)

        return await self._found(keys, self._lookups, after, limit)

    async def changed(self, after: int, limit: int) -> Changed:
        """At most ``limit`` calls whose last change has a number above ``after``, in its order."""
        rows: list[CallRow] = []
        sizes = (limit + 1,) if self._wanted == CallFilter() else _CHUNKS
        most = sum(sizes)
        keys = await self._ask("keys_changed", after=after, most=most + 1)
        for chunk in chunked(keys[:most], sizes):
            found = await self._rows([CallKey(at, id_) for _, at, id_ in chunk])
            rows += [row for row in found if meets(row, self._wanted, self._lookups)]
            after = chunk[-1][0]
            if len(rows) >= limit:
                break
        return changes(rows, limit, after, bool(keys) and after < keys[-1][0])

    # ---- what leads ---------------------------------------------------------------------------

    async def _leading(self, number: int) -> list[str] | None:
        """The terms to go through; None: no lookup will do."""
        if not self._lookups or await self._sql.indexed_to(self._connection) is not None:
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
            most, which = MOST_TERMS + 1 - len(terms), {"account_number": number}
            found = await self._ask("terms_between", low=low, high=high, most=most, **which)
            terms += [term for (term,) in found]
            if len(terms) > MOST_TERMS:
                return None
        return terms

    async def _counted(self, number: int, terms: Sequence[str]) -> int:
        """How many calls about have one of the terms, as far as it is worth counting."""
        counted: int = await self._sql.starts_counted(
            self._connection,
            account_number=number,
            terms=terms,
            most=_COUNTED,
            **self._span,
        )
        return min(counted, _COUNTED)

    async def _with(
        self, number: int, terms: Sequence[str], after: CallKey, most: int
    ) -> list[CallKey]:
        """The keys of the calls that started when calls with one of the terms did."""
        found = await self._ask(
            "keys_with",
            account_number=number,
            terms=terms,
            low=self._wanted.start,
            upto=after.started_at + bool(after.call_id),
            at=after.started_at,
            id=after.call_id,
            most=most,
        )
        return [CallKey(*key) for key in found]

    async def _of_id(self, after: CallKey, most: int) -> list[CallKey]:
        found = await self._ask("key_of", call_id=searched(self._wanted.call_id or ""))
        return [CallKey(*key) for key in found if CallKey(*key) < after][:most]

    async def _held(self, after: CallKey, most: int) -> list[CallKey]:
        """The keys of calls on hold."""
        at, id_ = after
        found = await self._ask("keys_held", at=at, id=id_, low=self._wanted.start, most=most)
        return [CallKey(*key) for key in found]

    # ---- going through ------------------------------------------------------------------------

    async def _found(
        self, keys: Keys, tested: Sequence[Lookup], after: CallKey, limit: int
    ) -> Found:
        """The calls with these keys that are wanted."""
        rows: list[CallRow] = []
        last: CallKey | None = after
        for size in self._sizes(limit, tested[1:]):
            chunk = await keys(last or after, size)
            found = [row for row in await self._rows(chunk) if meets(row, self._wanted, tested)]
            rows += newest_first(found)
            last = chunk[-1] if len(chunk) == size else None
            if last is None or len(rows) > limit:
                break
        return page(rows, limit, last)

    async def _gone_through(self, after: CallKey, limit: int) -> Found:
        """The calls of the account that are wanted."""
        rows: list[CallRow] = []
        begin, last = after, None
        for size in self._sizes(limit, self._lookups):
            last = await self._key_at(begin, size)
            if self._lookups:
                found = await self._rows_after(begin, last, size)
                rows += [row for row in found if meets(row, self._wanted, self._lookups)]
            else:
                rows += await self._rows_after(begin, last, limit + 1 - len(rows))
            if last is None or len(rows) > limit:
                break
            begin = last
        return page(rows, limit, last)

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
        found = await self._ask(
            "rows_of",
            starts=[key.started_at for key in keys],
            ids=[key.call_id for key in keys],
            **self._span,
            **self._plain,
        )
        return [call_row(row) for row in found]

    def _sizes(self, limit: int, tested: Sequence[Lookup]) -> Sequence[int]:
        """Of the chunks to be looked at; the first will do where every call in it is wanted."""
        return _CHUNKS if tested or self._plain != _PLAIN else (limit + 1, *_CHUNKS)

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
