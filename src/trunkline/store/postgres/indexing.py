"""What finished calls are found by, and their place in the order of changes; their accounts are locked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trunkline.store.ports.history import CallRow
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.events import lock_accounts
from trunkline.store.postgres.queries import named


class Findable(NamedTuple):
    """A call that is to be found, and to be in the order of changes."""

    account_number: int
    seq: int
    started_at: int
    call_id: str
    terms: set[str]


def next_number(reached: dict[str, int], account_id: str) -> int:
    """The next number of a locked account; 0 where the account is no more."""
    if account_id not in reached:
        return 0
    reached[account_id] += 1
    return reached[account_id]


async def make_findable(connection: Connection, calls: Sequence[Findable]) -> None:
    """Calls have their first numbers, and are found by their terms."""
    if not calls:
        return
    await named("marking").number_calls(
        connection,
        account_numbers=[call.account_number for call in calls],
        seqs=[call.seq for call in calls],
        started_ats=[call.started_at for call in calls],
        call_ids=[call.call_id for call in calls],
    )
    terms = {(call.account_number, term, call.started_at) for call in calls for term in call.terms}
    await add_terms(connection, sorted(terms))


async def index_calls(connection: Connection, rows: Sequence[CallRow]) -> None:
    newest = await lock_accounts(connection, {row.account_id for row in rows})
    reached = {account_id: numbers.update for account_id, numbers in newest.items()}
    numbered = [(row, seq) for row in rows if (seq := next_number(reached, row.account_id))]
    if not numbered:
        return
    await make_findable(
        connection,
        [
            Findable(newest[row.account_id].account, seq, *row.key, row.terms())
            for row, seq in numbered
        ],
    )
    await named("marking").set_numbers(
        connection,
        account_ids=[row.account_id for row, _ in numbered],
        seqs=[seq for _, seq in numbered],
        started_ats=[row.started_at for row, _ in numbered],
        call_ids=[row.call_id for row, _ in numbered],
    )


async def add_terms(connection: Connection, terms: Sequence[tuple[int, str, int]]) -> None:
    if terms:
        numbers, values, starts = zip(*terms, strict=True)
        await named("marking").add_terms(
            connection, account_numbers=numbers, terms=values, started_ats=starts
        )


async def drop_terms(
    connection: Connection, account_number: int, terms: Sequence[tuple[str, int]]
) -> None:
    values, starts = zip(*terms, strict=True)
    await named("marking").drop_terms(
        connection, account_number=account_number, started_ats=starts, terms=values
    )
