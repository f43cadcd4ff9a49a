"""Does all that a database keeps of calls agree? Read as another program would."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from trunkline.db.finding import call_row
from trunkline.db.place import Place
from trunkline.db.spans import DAY, HOUR, MINUTE

_COLUMNS = """id, account_id, caller_number, caller_username, caller_name, caller_user_id,
    caller_device_id, callee_number, callee_username, callee_name, callee_user_id, callee_device_id,
    class, direction, did_number, status_detail, started_at, answered_at, ended_at,
    duration_seconds, billing_seconds, ringing_seconds, hangup_cause, recording, client_ref, app_id,
    trunk, engine_died, note, tags, update_seq, false"""


def query(place: Place, statement: str) -> list[Any]:
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as connection, connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(place) as connection:
        cursor = connection.execute(statement)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


def everything_agrees(place: Place) -> None:
    """Counts, terms, the order of changes, ids and recordings are what the calls say."""
    calls = [call_row(row) for row in query(place, f"SELECT {_COLUMNS} FROM calls")]
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
