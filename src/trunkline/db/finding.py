"""What finding calls decides once their rows are read: the same in every database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from trunkline.calls.facts import Party
from trunkline.calls.terms import Lookup
from trunkline.db.history_port import CallFilter, CallKey, CallRow, Changed, Found

T = TypeVar("T")

MOST_AT_ONCE = 200
"""Calls of one time of start that are compared with one of them."""


def call_row(row: Sequence[Any]) -> CallRow:
    """The call of a row of the columns that ``finding.sql`` selects."""
    return CallRow(
        call_id=row[0],
        account_id=row[1],
        caller=Party(*row[2:7]),
        callee=Party(*row[7:12]),
        class_=row[12],
        direction=row[13],
        did_number=row[14],
        status_detail=row[15],
        started_at=row[16],
        answered_at=row[17],
        ended_at=row[18],
        duration_seconds=row[19],
        billing_seconds=row[20],
        ringing_seconds=row[21],
        hangup_cause=row[22],
        recording=row[23],
        client_ref=row[24],
        app_id=row[25],
        trunk=row[26],
        engine_died=bool(row[27]),
        note=row[28],
        tags=tuple(filter(None, row[29].split(","))),
        update=row[30],
        hold=bool(row[31]),
    )


def meets(row: CallRow, wanted: CallFilter, tested: Sequence[Lookup]) -> bool:
    """Is it a call of the id that is wanted (None: any), that all these lookups hold for?"""
    if wanted.call_id not in (None, row.call_id):
        return False
    if not tested:
        return True
    terms = row.terms()
    return all(lookup.holds(terms) for lookup in tested)


def newest_first(rows: Sequence[CallRow]) -> list[CallRow]:
    """The calls in the order of a page."""
    return sorted(rows, key=lambda row: row.key, reverse=True)


def chunked(keys: Sequence[T], sizes: Sequence[int]) -> Iterator[Sequence[T]]:
    """The keys in chunks of these sizes, none of them empty; what goes beyond is left out."""
    at = 0
    for size in sizes:
        if chunk := keys[at : at + size]:
            yield chunk
        at += size


def page(rows: Sequence[CallRow], limit: int, last: CallKey | None) -> Found:
    """``last`` is the last key that was looked at; None: there are no more."""
    if len(rows) > limit:
        return Found(rows[:limit], rows[limit - 1].key)
    return Found(rows, last)


def changes(rows: Sequence[CallRow], limit: int, upto: int, more: bool) -> Changed:
    """The calls in the order of their changes.

    ``upto`` is the number up to which all was looked at; ``more``: something changed after it.
    """
    rows = sorted(rows, key=lambda row: row.update)
    if len(rows) > limit:
        return Changed(rows[:limit], rows[limit - 1].update, True)
    return Changed(rows, upto, more)
