"""The SQL written by hand: every statement has its name and its sentence in ``sql/*.sql``."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import aiosql

from trunkline.store.common.sql_text import filled


@cache
def named(subject: str) -> Any:
    """The statements of ``sql/<subject>.sql``, each a function of (connection, **parameters)."""
    text = resources.files(__package__).joinpath("sql", f"{subject}.sql").read_text()
    return aiosql.from_str(filled(text), "sqlite3")
