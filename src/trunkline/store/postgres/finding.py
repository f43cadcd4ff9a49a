"""Finding calls in PostgreSQL: what follows the terms is one statement for each chunk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trunkline.store.common.finding import MOST_COUNTED, Candidate, Candidates, Finder
from trunkline.store.ports.history import CallKey
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.text import searched


class PostgresFinder(Finder):
    most_terms = 64
    chunks = (200, 800, 3000)
    _named = staticmethod(named)
    _searched = staticmethod(searched)

    async def _counted(self, number: int, terms: Sequence[str]) -> int:
        counted: int = await self._sql.starts_counted(
            self._connection,
            account_number=number,
            terms=terms,
            most=MOST_COUNTED,
            **self._span,
        )
        return min(counted, MOST_COUNTED)

    def _with(self, number: int, terms: Sequence[str], after: CallKey) -> Candidates:  # noqa: ARG002
        async def following(before: CallKey, most: int) -> Sequence[Candidate]:
            found = await self._ask(
                "keys_with",
                account_number=number,
                terms=terms,
                low=self._wanted.start,
                upto=before.started_at + bool(before.call_id),
                at=before.started_at,
                id=before.call_id,
                most=most,
            )
            return [(CallKey(*key), True) for key in found]

        return following

    @staticmethod
    def _given(keys: Sequence[CallKey]) -> dict[str, Any]:
        return {"starts": [key.started_at for key in keys], "ids": [key.call_id for key in keys]}
