"""Finding calls in SQLite: what follows the terms is read as it is needed."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator, Sequence
from heapq import merge
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from trunkline.store.common.finding import MOST_COUNTED, Candidate, Candidates, Finder
from trunkline.store.ports.history import CallKey
from trunkline.store.sqlite.queries import array, named

_STARTS = 50


class SqliteFinder(Finder):
    most_terms = 512
    chunks = (200, 800, 2000)
    _named = staticmethod(named)
    _connection: sqlite3.Connection

    async def _counted(self, number: int, terms: Sequence[str]) -> int:
        counted, asked = 0, {"account_number": number, **self._span}
        for term in terms:
            if counted >= MOST_COUNTED:
                break
            most = MOST_COUNTED - counted
            counted += await self._sql.starts_counted(
                self._connection, term=term, most=most, **asked
            )
        return counted

    def _with(self, number: int, terms: Sequence[str], after: CallKey) -> Candidates:
        candidates = self._keys(number, terms, after)

        async def following(_: CallKey, most: int) -> Sequence[Candidate]:
            return list(islice(candidates, most))

        return following

    def _keys(self, number: int, terms: Sequence[str], after: CallKey) -> Iterator[Candidate]:
        """The calls that started when calls with one of the terms did, newest first, each once, read
        as needed."""
        starts = self._starts(number, terms, after.started_at)
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
        asked: dict[str, Any] = {"account_id": self._account_id, "starts": array(starts)}
        asked |= {**self._plain, "statuses": array(self._plain["statuses"])}
        found = self._connection.execute(self._sql.calls_at.sql, asked)
        for at, group in groupby(found, key=itemgetter(0)):
            (_, call_id, wanted), *others = islice(group, 2)
            if others:
                return int(at)
            if (key := CallKey(at, call_id or "")) < after:
                yield key, wanted
        return None

    def _starts(self, number: int, terms: Sequence[str], upto: int) -> Iterator[int]:
        """When calls with one of the terms started, newest first."""
        asked = {"account_number": number, "low": self._wanted.start, "upto": upto}
        sql = self._sql.starts_with.sql
        streams = [self._connection.execute(sql, asked | {"term": term}) for term in terms]
        return (start for (start,), _ in groupby(merge(*streams, reverse=True)))

    def _keys_at(self, at: int, after: CallKey) -> Iterator[Candidate]:
        """The calls that started then, newest first."""
        before = min(after, CallKey(at + 1, ""))
        asked = {"account_id": self._account_id, "low": at, "at": before[0], "id": before[1]}
        for key in self._connection.execute(self._sql.keys_at.sql, asked):
            yield CallKey(*key), True

    @staticmethod
    def _given(keys: Sequence[CallKey]) -> dict[str, Any]:
        return {"keys": array(keys)}
