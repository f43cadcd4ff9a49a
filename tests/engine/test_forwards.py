"""Forwards that nobody has asked for do not pile up."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from trunkline.engine.config.contacts import refuse_steered
from trunkline.engine.config.forwards import MOST, keep_newest


def test_the_newest_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    astdb = tmp_path / "astdb.sqlite3"
    refuse_steered(astdb)
    keep_newest(astdb)
    connection = sqlite3.connect(astdb)
    put = "INSERT OR REPLACE INTO astdb (key, value) VALUES (?, ?)"  # as Asterisk's db.c
    connection.execute(put, ("/forward/x", "other"))
    connection.executemany(put, [(f"/forwards/{n:05}", "101") for n in range(MOST + 50)])
    connection.execute(put, ("/forwardsx/y", "other"))
    keys = [key for (key,) in connection.execute("SELECT key FROM astdb ORDER BY key")]
    connection.commit()
    kept = [f"/forwards/{n:05}" for n in range(50, MOST + 50)]
    assert keys == ["/forward/x", *kept, "/forwardsx/y"]
    keep_newest(astdb)
    assert connection.execute("SELECT count(*) FROM astdb").fetchone() == (2,)
    connection.close()
