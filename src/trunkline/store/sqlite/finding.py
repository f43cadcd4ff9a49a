"""Finding calls at bounded cost, however many there are (see ``db.history_port.History``).

Of what is asked of the terms, that which the fewest calls have leads: its calls are gone through
newest first, and the rest is tested on each. Where nothing leads (only a status, say, or a prefix
that very many different numbers have), the calls themselves are gone through. Either way a request
looks at no more than ``MOST_LOOKED_AT`` calls, and says where to go on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator, Sequence
from heapq import merge
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

import msgspec

from trunkline.history.terms import Lookup
from trunkline.store.common.call_rows import call_row, changes, chunked, meets, newest_first, page
from trunkline.store.ports.history import NEWEST, CallFilter, CallKey, CallRow, Changed, Found
from trunkline.store.sqlite.queries import named

MOST_LOOKED_AT = 3000
"""Calls that one request looks at where each may have to be passed over."""
MOST_TERMS = 512
"""Different terms with one prefix that are gone through side by side."""
_COUNTED = 1000
_STARTS = 50
_CHUNKS = (200, 800, MOST_LOOKED_AT - 1000)


Candidate = tuple[CallKey, bool]
"""A call that is to be looked at, and whether what is asked of its columns may hold."""


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
        self._number: int | None = self._sql.number_of(connection, account_id=account_id)

    def find(self, after: CallKey, limit: int) -> Found:
        """At most ``limit`` calls that follow ``after``, newest first."""
        after = min(after, CallKey(self._wanted.end, ""))
        if self._wanted.call_id is not None:
            keys = self._ask("key_of", call_id=self._wanted.call_id)
            known = ((CallKey(*key), True) for key in keys)
            return self._found(known, self._lookups, limit, after)
        if self._wanted.hold:
            return self._found(self._held(after), self._lookups, limit)
        terms = self._leading()
        if terms is None:
            return self._gone_through(after, limit)
        return self._found(self._keys(terms, after), self._lookups, limit)

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

    def _leading(self) -> list[str] | None:
        """The terms to go through; None: no lookup will do."""
        if not self._lookups or self._number is None:
            return None
        if self._sql.indexed_to(self._connection) is not None:
            return None
        known = [terms for lookup in self._lookups if (terms := self._terms(lookup)) is not None]
        if not known:
            return None
        return min(known, key=self._counted) if len(self._lookups) > 1 else known[0]

    def _terms(self, lookup: Lookup) -> list[str] | None:
        """Every term that is there and would do; None for too many."""
        terms, number = list(lookup.terms), self._number
        for low, high in lookup.ranges:
            most = MOST_TERMS + 1 - len(terms)
            found = self._ask("terms_between", account_number=number, low=low, high=high, most=most)
            terms += [term for (term,) in found]
            if len(terms) > MOST_TERMS:
                return None
        return terms

    def _counted(self, terms: Sequence[str]) -> int:
        """How many calls about have one of the terms, as far as it is worth counting."""
        counted, asked = 0, {"account_number": self._number, **self._span}
        for term in terms:
            if counted >= _COUNTED:
                break
            most = _COUNTED - counted
            counted += self._sql.starts_counted(self._connection, term=term, most=most, **asked)
        return counted

    def _keys(self, terms: Sequence[str], after: CallKey) -> Iterator[Candidate]:
        """The calls that started when calls with one of the terms did, newest first, each once, read
        as needed."""
        starts = self._starts(terms, after.started_at)
        while part := list(islice(starts, _STARTS)):
            while part:
                crowded = yield from self._alone(part, after)
                if crowded is None:
                    break
                yield from self._keys_at(crowded, after)
                part = part[part.index(crowded) + 1 :]

    def _alone(
        self, starts: Sequence[int], after: CallKey
    ) -> Generator[Candidate, None, int | None]:
        """The calls that started at these times, up to the first that several share: gives that.

        A time without any call counts as looked at.
        """
        asked = {"account_id": self._account_id, "starts": msgspec.json.encode(starts).decode()}
        found = self._connection.execute(self._sql.calls_at.sql, asked | self._plain)
        for at, group in groupby(found, key=itemgetter(0)):
            (_, call_id, wanted), *others = islice(group, 2)
            if others:
                return int(at)
            if (key := CallKey(at, call_id or "")) < after:
                yield key, wanted
        return None

    def _held(self, after: CallKey) -> Iterator[Candidate]:
        """The keys of the calls on hold, newest first, read as needed."""
        asked = {"at": after.started_at, "id": after.call_id, "low": self._wanted.start}
        found = self._connection.execute(
            self._sql.keys_held.sql, {"account_id": self._account_id, **asked}
        )
        return ((CallKey(*key), True) for key in found)

    def _starts(self, terms: Sequence[str], upto: int) -> Iterator[int]:
        """When calls with one of the terms started, newest first."""
        asked = {"account_number": self._number, "low": self._wanted.start, "upto": upto}
        sql = self._sql.starts_with.sql
        streams = [self._connection.execute(sql, asked | {"term": term}) for term in terms]
        return (start for (start,), _ in groupby(merge(*streams, reverse=True)))

    def _keys_at(self, at: int, after: CallKey) -> Iterator[Candidate]:
        """The calls that started then, newest first."""
        before = min(after, CallKey(at + 1, ""))
        asked = {"account_id": self._account_id, "low": at, "at": before[0], "id": before[1]}
        for key in self._connection.execute(self._sql.keys_at.sql, asked):
            yield CallKey(*key), True

    # ---- going through ------------------------------------------------------------------------

    def _found(
        self,
        keys: Iterator[Candidate],
        tested: Sequence[Lookup],
        limit: int,
        before: CallKey = NEWEST,
    ) -> Found:
        """The calls with these keys that are wanted."""
        rows: list[CallRow] = []
        last: CallKey | None = None
        for size in self._sizes(limit, tested[1:]):
            chunk = list(islice(keys, size))
            found = self._rows([key for key, wanted in chunk if wanted and key < before])
            rows += newest_first([row for row in found if meets(row, self._wanted, tested)])
            last = chunk[-1][0] if len(chunk) == size else None
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
        """Of the chunks to be looked at; the first will do where every call in it is wanted."""
        return _CHUNKS if tested or self._plain != _PLAIN else (limit + 1, *_CHUNKS)

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
        "held": wanted.hold,
    }


_PLAIN = _plain(CallFilter())
