"""A page as most would write it: ``LIMIT … OFFSET``, and ``COUNT(*)`` for the total; plain drivers."""

from __future__ import annotations

import sqlite3
import time
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from .kept import Kept

_WHERE = "FROM calls WHERE account_id = ? AND started_at >= ? AND started_at < ?"
COUNT = f"SELECT count(*) {_WHERE}"
_PAGE = (
    "SELECT caller_number, caller_username, callee_number, callee_username, class, did_number,"
    " direction, status_detail, duration_seconds, started_at, billing_seconds, recording,"
    f" client_ref, id {_WHERE} ORDER BY started_at DESC, id DESC LIMIT ? OFFSET ?"
)


class NaivePage(NamedTuple):
    """What it gave, and how long it took in ms: the rows, and with the count."""

    total: int
    call_ids: list[str]
    page_ms: float
    ms: float


class Naive:
    """One plain connection to a database."""

    def __init__(self, kept: Kept) -> None:
        self._connection: Any
        if isinstance(kept.place, Path):
            self._connection = sqlite3.connect(f"{kept.place.as_uri()}?mode=ro", uri=True)
            self._marks = "?"
        else:
            self._connection = psycopg.connect(kept.place, autocommit=True)
            self._marks = "%s"

    def page(self, account_id: str, window: tuple[int, int], limit: int, page: int) -> NaivePage:
        """One page with its total."""
        began = time.perf_counter()
        rows = self.all(_PAGE, account_id, *window, limit, (page - 1) * limit)
        between = time.perf_counter()
        ((total,),) = self.all(COUNT, account_id, *window)
        ended = time.perf_counter()
        ids = [row[-1] for row in rows]
        return NaivePage(total, ids, (between - began) * 1000, (ended - began) * 1000)

    def all(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement whose parameters are marked by ``?``."""
        text = sql.replace("?", self._marks)
        return list(self._connection.execute(text, parameters).fetchall())

    def closing(self) -> AbstractContextManager[Any]:
        """Closes the connection at the end."""
        return closing(self._connection)
