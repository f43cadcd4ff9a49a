"""Keeps the table of forwards small: where a phone's 302 leads, until ``step-user.conf`` asks for it.

They stand in Asterisk's own database, and nobody asks where the caller has hung up meanwhile, or another
phone has answered. So a trigger there keeps only the newest ones.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

MOST = 1000
"""At most so many calls wait at the same moment for phones that ring beside one that forwards."""
_FORWARD = "{row}key >= '/forwards/' AND {row}key < '/forwards0'"
_KEEP_NEWEST = f"""
    CREATE TRIGGER keep_newest_forwards AFTER INSERT ON astdb WHEN {_FORWARD.format(row="NEW.")}
    BEGIN
        DELETE FROM astdb WHERE {_FORWARD.format(row="")} AND rowid NOT IN (
            SELECT rowid FROM astdb WHERE {_FORWARD.format(row="")} ORDER BY rowid DESC LIMIT {MOST});
    END
"""  # noqa: S608 - all of it is ours


def keep_newest(astdb: Path) -> None:
    """Have the engine that is about to start on this database, which exists, keep no more; forget the old ones.

    Not while an engine runs: its prepared statements would not survive the change.
    """
    with contextlib.closing(sqlite3.connect(astdb)) as connection, connection:
        connection.execute(f"DELETE FROM astdb WHERE {_FORWARD.format(row='')}")  # noqa: S608
        connection.execute("DROP TRIGGER IF EXISTS keep_newest_forwards")
        connection.execute(_KEEP_NEWEST)
