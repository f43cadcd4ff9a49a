"""Finding calls at bounded cost, however many there are (see ``db.history_port.History``).

Of what is asked of the terms, that which the fewest calls have leads: its calls are gone through
newest first, and the rest is tested on each. Where nothing leads (only a status, say, or a prefix
that very many different numbers have), the calls themselves are gone through. Either way a request
looks at no more than ``MOST_LOOKED_AT`` calls, and says where to go on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from trunkline.calls.terms import Lookup
from trunkline.db.finding import call_row, changes, chunked, meets, newest_first, page
from trunkline.db.history_port import CallFilter, CallKey, CallRow, Changed, Found
from trunkline.db.postgres.connect import Connection
from trunkline.db.postgres.queries import named
from trunkline.db.postgres.text import searched

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
        terms, rest = await self._leading()
        if terms is None:
            return await self._gone_through(after, limit)

        async def keys(before: CallKey, most: int) -> list[CallKey]:
            return await self._with(terms, before, most)

        return await self._found(keys, rest, after, limit)

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

    async def _leading(self) -> tuple[list[str] | None, list[Lookup]]:
        """The terms to go through (None: no lookup will do), and what is then left to be tested."""
        if not self._lookups or await self._sql.indexed_to(self._connection) is not None:
            return None, self._lookups
        known = [(await self._terms(lookup), lookup) for lookup in self._lookups]
        usable = [(terms, lookup) for terms, lookup in known if terms is not None]
        if not usable:
            return None, self._lookups
        costs = [await self._calls_with(terms) for terms, _ in usable] if len(known) > 1 else [0]
        terms, leading = usable[costs.index(min(costs))]
        return terms, [lookup for lookup in self._lookups if lookup is not leading]

    async def _terms(self, lookup: Lookup) -> list[str] | None:
        """Every term that is there and would do; None for too many."""
        terms = list(lookup.terms)
        for low, high in lookup.ranges:
            most = MOST_TERMS + 1 - len(terms)
            found = await self._ask("terms_between", low=low, high=high, most=most)
            terms += [term for (term,) in found]
            if len(terms) > MOST_TERMS:
                return None
        return terms

    async def _calls_with(self, terms: Sequence[str]) -> int:
        """How many calls have one of the terms, as far as it is worth counting."""
        counted: int = await self._sql.calls_with(
            self._connection,
            account_id=self._account_id,
            terms=terms,
            most=_COUNTED,
            **self._span,
        )
        return min(counted, _COUNTED)

    async def _with(self, terms: Sequence[str], after: CallKey, most: int) -> list[CallKey]:
        """The keys of the calls with one of the terms, each once."""
        found = await self._ask(
            "keys_with",
            terms=terms,
            low=self._wanted.start,
            at=after.started_at,
            id=after.call_id,
            most=most,
        )
        return [CallKey(*key) for key in found]

    async def _of_id(self, after: CallKey, most: int) -> list[CallKey]:
        found = await self._ask("key_of", call_id=searched(self._wanted.call_id or ""))
        return [CallKey(*key) for key in found if CallKey(*key) < after][:most]

    # ---- going through ------------------------------------------------------------------------

    async def _found(
        self, keys: Keys, tested: Sequence[Lookup], after: CallKey, limit: int
    ) -> Found:
        """The calls with these keys that are wanted."""
        rows: list[CallRow] = []
        last: CallKey | None = after
        for size in self._sizes(limit, tested):
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
        """Of the chunks to be looked at; one will do where every call in it is wanted."""
        return _CHUNKS if tested or self._plain != _PLAIN else (limit + 1,)

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
    }


_PLAIN = _plain(CallFilter())
