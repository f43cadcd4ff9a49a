"""Does all that a database keeps of calls agree? Read as another program would."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from trunkline.store.common.call_rows import call_row
from trunkline.store.common.spans import DAY, HOUR, MINUTE
from trunkline.store.common.sql_text import filled
from trunkline.store.location import Location


def query(place: Location, statement: str) -> list[Any]:
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as connection, connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(place) as connection:
        cursor = connection.execute(statement)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


def everything_agrees(place: Location) -> None:
    """Counts, terms, the order of changes, ids and recordings are what the calls say."""
    calls = [call_row(row) for row in query(place, filled("SELECT {row} FROM calls", {}))]
    for name, width in (("minute", MINUTE), ("hour", HOUR), ("day", DAY)):
        counted = query(place, f"SELECT account_id, bucket, n FROM call_counts_{name}")
        there = Counter((call.account_id, call.started_at // width) for call in calls)
        assert {(account, bucket): n for account, bucket, n in counted} == there
    numbers = dict(query(place, "SELECT id, number FROM accounts"))
    assert set(query(place, "SELECT account_number, term, started_at FROM call_terms")) == {
        (numbers[call.account_id], term, call.started_at) for call in calls for term in call.terms()
    }
    assert set(query(place, "SELECT account_number, seq, call_id FROM call_updates")) == {
        (numbers[call.account_id], call.update, call.call_id) for call in calls
    }
    ids = {call.call_id for call in calls}
    if not isinstance(place, Path):
        assert {call_id for (call_id,) in query(place, "SELECT id FROM call_ids")} == ids
    recorded = query(place, "SELECT call_id, name FROM recordings WHERE state <> 'failed'")
    assert set(recorded) == {(call.call_id, call.recording) for call in calls if call.recording}
    gone = {name for (name,) in query(place, "SELECT name FROM recording_removals")}
    assert not gone & {call.recording for call in calls}
    assert {call_id for (call_id,) in query(place, "SELECT call_id FROM call_holds")} <= ids
