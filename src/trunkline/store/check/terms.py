"""What calls are found by, and the order of their changes: no call may lack one.

Terms that no call has any more are no harm (what is found is looked at again), and are not looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from trunkline.calls.facts import Party
from trunkline.history.terms import terms_of
from trunkline.store import tables
from trunkline.store.check.days import accounts
from trunkline.store.check.steps import Difference, Steps
from trunkline.store.ports.history import CallKey

STEP = 1000
"""Calls looked at in one state of the database."""
_FIRST = CallKey(-(1 << 62), "")

# Those of a JSON array of [term, started_at] that are not there.
_MISSING = {
    "sqlite": """SELECT json_extract(p.value, '$[0]'), json_extract(p.value, '$[1]')
        FROM json_each(:pairs) p
        WHERE NOT EXISTS (
            SELECT 1 FROM call_terms t WHERE t.account_number = :number
            AND t.term = json_extract(p.value, '$[0]')
            AND t.started_at = json_extract(p.value, '$[1]'))""",
    "postgresql": """SELECT p.value ->> 0, CAST(p.value ->> 1 AS bigint)
        FROM json_array_elements(CAST(:pairs AS json)) AS p (value)
        WHERE NOT EXISTS (
            SELECT 1 FROM call_terms t WHERE t.account_number = :number
            AND t.term = p.value ->> 0 AND t.started_at = CAST(p.value ->> 1 AS bigint))""",
}


def check(steps: Steps) -> Iterator[Difference]:
    """Every call that lacks a term, or is not in the order of changes."""
    for account_id in accounts(steps):
        after: CallKey | None = _FIRST
        while after is not None:
            with steps.read() as connection:
                step = _Step(connection, account_id, after)
            if step.wrong and steps.repair:
                with steps.write(account_id) as connection:
                    step = _Step(connection, account_id, after)
                    step.mend(connection)
            yield from step.wrong
            after = step.last


class _Step:
    """The calls that follow a key, and what they lack. ``last`` is the last of them, if it is full."""

    def __init__(self, connection: sa.Connection, account_id: str, after: CallKey) -> None:
        numbers = tables.accounts.c
        self._number = connection.scalar(sa.select(numbers.number).where(numbers.id == account_id))
        rows = [] if self._number is None else _calls(connection, account_id, after)
        self.last = CallKey(rows[-1].started_at, rows[-1].id) if len(rows) == STEP else None
        self._rows = [row for row in rows if row.update_seq]  # the others are in neither yet
        self._terms = [(row, _terms(row)) for row in self._rows]
        self._missing = self._missing_terms(connection)
        self._unnumbered = [row for row in self._rows if row.changed_call != row.id]
        self.wrong = list(self._wrong())

    def mend(self, connection: sa.Connection) -> None:
        """Put in what is lacking."""
        if self._missing:
            connection.execute(
                tables.call_terms.insert(),
                [
                    {"account_number": self._number, "term": term, "started_at": at}
                    for term, at in sorted(self._missing)
                ],
            )
        updates = tables.call_updates
        for row in self._unnumbered:
            which = {"account_number": self._number, "seq": row.update_seq}
            same = [updates.c[name] == value for name, value in which.items()]
            connection.execute(updates.delete().where(*same))
            values = {**which, "started_at": row.started_at, "call_id": row.id}
            connection.execute(updates.insert().values(values))

    def _missing_terms(self, connection: sa.Connection) -> set[tuple[str, int]]:
        pairs = {(term, row.started_at) for row, terms in self._terms for term in terms}
        given = {"number": self._number, "pairs": msgspec.json.encode(sorted(pairs)).decode()}
        asked = sa.text(_MISSING[connection.dialect.name])
        return {(term, at) for term, at in connection.execute(asked, given)} if pairs else set()

    def _wrong(self) -> Iterator[Difference]:
        for row, terms in self._terms:
            lacking = sum((term, row.started_at) in self._missing for term in terms)
            if lacking:
                found = len(terms) - lacking
                yield _difference(row, f"terms of {row.id}", found, len(terms))
        for row in self._unnumbered:
            yield _difference(row, f"last change of {row.id}", 0, 1)


def _difference(row: Any, of: str, counted: int, there: int) -> Difference:
    return Difference(row.account_id, of, "call", row.started_at, counted, there)


def _calls(connection: sa.Connection, account_id: str, after: CallKey) -> Sequence[Any]:
    calls, updates, numbers = tables.calls, tables.call_updates, tables.accounts
    c = calls.c
    changed = sa.and_(updates.c.account_number == numbers.c.number, updates.c.seq == c.update_seq)
    query = (
        sa.select(
            *(c.account_id, c.started_at, c.id, c.update_seq, c.did_number, c.trunk, c.client_ref),
            *(c.caller_number, c.caller_username, c.caller_name),
            *(c.callee_number, c.callee_username, c.callee_name, c.note, c.tags),
            updates.c.call_id.label("changed_call"),
        )
        .select_from(calls.join(numbers, numbers.c.id == c.account_id).outerjoin(updates, changed))
        .where(c.account_id == account_id)
        .where(sa.tuple_(c.started_at, c.id) > sa.tuple_(*after))
        .order_by(c.started_at, c.id)
        .limit(STEP)
    )
    return connection.execute(query).all()


def _terms(row: Any) -> set[str]:
    caller = Party(row.caller_number, row.caller_username, row.caller_name)
    callee = Party(row.callee_number, row.callee_username, row.callee_name)
    tags = tuple(filter(None, row.tags.split(",")))
    return terms_of(caller, callee, row.did_number, row.trunk, row.client_ref, row.note, tags)
