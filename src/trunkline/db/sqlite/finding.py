"""Finding calls at bounded cost, however many there are (see ``db.history_port.History``).

Of what is asked of the terms, that which the fewest calls have leads: its calls are gone through
newest first, and the rest is tested on each. Where nothing leads (only a status, say, or a prefix
that very many different numbers have), the calls themselves are gone through. Either way a request
looks at no more than ``MOST_LOOKED_AT`` calls, and says where to go on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import groupby, islice
from typing import Any

import msgspec

from trunkline.calls.terms import Lookup
from trunkline.db.finding import call_row, changes, chunked, meets, newest_first, page
from trunkline.db.history_port import NEWEST, CallFilter, CallKey, CallRow, Changed, Found
from trunkline.db.sqlite.queries import named

MOST_LOOKED_AT = 3000
"""Calls that one request looks at where each may have to be passed over."""
MOST_TERMS = 512
"""Different terms with one prefix that are gone through side by side."""
_COUNTED = 1000
_CHUNKS = (200, 800, MOST_LOOKED_AT - 1000)


class Finder:
    """Finds the calls of one account on one connection, inside its transaction."""

    def __init__(self, connection: sqlite3.Connection, account_id: str, wanted: CallFilter) -> None:
        self._connection = connection
        self._account_id = account_id
        self._wanted = wanted
        self._lookups = wanted.lookups()
        self._sql = named("finding")
        self._span = {"low": wanted.start, "high": wanted.end}
        self._plain = _plain(wanted)

    def find(self, after: CallKey, limit: int) -> Found:
        """At most ``limit`` calls that follow ``after``, newest first."""
        after = min(after, CallKey(self._wanted.end, ""))
        if self._wanted.call_id is not None:
            keys = self._ask("key_of", call_id=self._wanted.call_id)
            return self._found(iter(keys), self._lookups, limit, after)
        terms, rest = self._leading()
        if terms is None:
            return self._gone_through(after, limit)
        return self._found(self._keys(terms, after), rest, limit)

    def changed(self, after: int, limit: int) -> Changed:
        """At most ``limit`` calls whose last change has a number above ``after``, in its order."""
        rows: list[CallRow] = []
        sizes = (limit + 1,) if self._wanted == CallFilter() else _CHUNKS
        keys = self._ask("keys_changed", after=after, most=sum(sizes) + 1)
        for chunk in chunked(keys[: sum(sizes)], sizes):
            found = self._rows([key[1:] for key in chunk])
            rows += [row for row in found if meets(row, self._wanted, self._lookups)]
            after = chunk[-1][0]
            if len(rows) >= limit:
                break
        return changes(rows, limit, after, bool(keys) and after < keys[-1][0])

    # ---- what leads ---------------------------------------------------------------------------

    def _leading(self) -> tuple[list[str] | None, list[Lookup]]:
        """The terms to go through (None: no lookup will do), and what is then left to be tested."""
        if not self._lookups or self._sql.indexed_to(self._connection) is not None:
            return None, self._lookups
        known = [(self._terms(lookup), lookup) for lookup in self._lookups]
        usable = [(terms, lookup) for terms, lookup in known if terms is not None]
        if not usable:
            return None, self._lookups
        if len(known) > 1:
            usable.sort(key=lambda pair: self._calls_with(pair[0]))
        terms, leading = usable[0]
        return terms, [lookup for lookup in self._lookups if lookup is not leading]

    def _terms(self, lookup: Lookup) -> list[str] | None:
        """Every term that is there and would do; None for too many."""
        terms = list(lookup.terms)
        for low, high in lookup.ranges:
            most = MOST_TERMS + 1 - len(terms)
            found = self._ask("terms_between", low=low, high=high, most=most)
            terms += [term for (term,) in found]
            if len(terms) > MOST_TERMS:
                return None
        return terms

    def _calls_with(self, terms: Sequence[str]) -> int:
        """How many calls have one of the terms, as far as it is worth counting."""
        counted = 0
        for term in terms:
            if counted >= _COUNTED:
                break
            most = _COUNTED - counted
            counted += self._sql.calls_with(
                self._connection, account_id=self._account_id, term=term, most=most, **self._span
            )
        return counted

    def _keys(self, terms: Sequence[str], after: CallKey) -> Iterator[tuple[int, str]]:
        """The keys of the calls with one of the terms, newest first, each once, read as needed."""
        streams = [
            self._connection.execute(
                self._sql.keys_with.sql,
                {
                    "account_id": self._account_id,
                    "term": term,
                    "at": after.started_at,
                    "id": after.call_id,
                    "low": self._wanted.start,
                },
            )
            for term in terms
        ]
        return (key for key, _ in groupby(merge(*streams, reverse=True)))

    # ---- going through ------------------------------------------------------------------------

    def _found(
        self,
        keys: Iterator[tuple[int, str]],
        tested: Sequence[Lookup],
        limit: int,
        before: CallKey = NEWEST,
    ) -> Found:
        """The calls with these keys that are wanted."""
        rows: list[CallRow] = []
        last: CallKey | None = None
        for size in self._sizes(limit, tested):
            chunk = list(islice(keys, size))
            found = [row for row in self._rows(chunk) if row.key < before]
            rows += newest_first([row for row in found if meets(row, self._wanted, tested)])
            last = CallKey(*chunk[-1]) if len(chunk) == size else None
            if last is None or len(rows) > limit:
                break
        return page(rows, limit, last)

    def _gone_through(self, after: CallKey, limit: int) -> Found:
        """The calls of the account that are wanted."""
        rows: list[CallRow] = []
        begin, last = after, None
        for size in self._sizes(limit, self._lookups):
            last = self._key_at(begin, size)
            if self._lookups:
                found = self._rows_after(begin, last, size)
                rows += [row for row in found if meets(row, self._wanted, self._lookups)]
            else:
                rows += self._rows_after(begin, last, limit + 1 - len(rows))
            if last is None or len(rows) > limit:
                break
            begin = last
        return page(rows, limit, last)

    def _key_at(self, after: CallKey, size: int) -> CallKey | None:
        found = self._sql.key_at(
            self._connection,
            account_id=self._account_id,
            low=self._wanted.start,
            at=after.started_at,
            id=after.call_id,
            skip=size - 1,
        )
        return None if found is None else CallKey(*found)

    def _rows_after(self, after: CallKey, last: CallKey | None, most: int) -> list[CallRow]:
        last = last or CallKey(self._wanted.start, "")
        found = self._ask(
            "rows_after",
            at=after.started_at,
            id=after.call_id,
            last_at=last.started_at,
            last_id=last.call_id,
            most=most,
            **self._plain,
        )
        return [call_row(row) for row in found]

    def _rows(self, keys: Sequence[tuple[int, str]]) -> list[CallRow]:
        encoded = msgspec.json.encode(keys).decode()
        found = self._ask("rows_of", keys=encoded, **self._span, **self._plain)
        return [call_row(row) for row in found]

    def _sizes(self, limit: int, tested: Sequence[Lookup]) -> Sequence[int]:
        """Of the chunks to be looked at; one will do where every call in it is wanted."""
        return _CHUNKS if tested or self._plain != _PLAIN else (limit + 1,)

    def _ask(self, name: str, **parameters: Any) -> list[Any]:
        query = getattr(self._sql, name)
        return list(query(self._connection, account_id=self._account_id, **parameters))


def _plain(wanted: CallFilter) -> dict[str, Any]:
    """What is asked of the columns."""
    return {
        "class_": wanted.class_ or "",
        "direction": wanted.direction or "",
        "statuses": f",{','.join(wanted.statuses)}," if wanted.statuses else "",
        "shortest": wanted.duration[0],
        "longest": wanted.duration[1],
        "billed_from": wanted.billing[0],
        "billed_to": wanted.billing[1],
        "recorded": wanted.has_recording,
    }


_PLAIN = _plain(CallFilter())
