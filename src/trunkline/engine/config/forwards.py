"""Where phones forward to, from a phone's 302 until the dialplan asks for it (``step-user.conf``).

It stands in Asterisk's own database, and nobody asks where the caller has hung up meanwhile, or another
phone has answered. So a trigger there keeps the newest ones alone.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

MOST = 1000
"""So many calls at most wait at the same moment for phones that ring beside one that forwards."""
_FORWARD = "{row}key >= '/forwards/' AND {row}key < '/forwards0'"
_KEEP_NEWEST = f"""
    CREATE TRIGGER keep_newest_forwards AFTER INSERT ON astdb WHEN {_FORWARD.format(row="NEW.")}
    BEGIN
        DELETE FROM astdb WHERE {_FORWARD.format(row="")} AND rowid NOT IN (
            SELECT rowid FROM astdb WHERE {_FORWARD.format(row="")} ORDER BY rowid DESC LIMIT {MOST});
    END
"""  # noqa: S608 - all of it is ours


def keep_newest(astdb: Path) -> None:
    """Have the engine that is about to start on this database, which is there, keep no more; it has none yet.

    Not while an engine runs: its prepared statements would not survive the change.
    """
    with contextlib.closing(sqlite3.connect(astdb)) as connection, connection:
        connection.execute(f"DELETE FROM astdb WHERE {_FORWARD.format(row='')}")  # noqa: S608
        connection.execute("DROP TRIGGER IF EXISTS keep_newest_forwards")
        connection.execute(_KEEP_NEWEST)
