"""A database open for reading only."""

from __future__ import annotations

import asyncio

from trunkline.store.common.archive import SqlArchive
from trunkline.store.postgres import dialect
from trunkline.store.postgres.reader import Reader
from trunkline.store.postgres.schema import refuse_other_schema


def open_archive(url: str) -> SqlArchive:
    """It has an event loop of its own.

    Raises DatabaseUnusable where it is not of this program's schema, and DatabaseUnavailable.
    """
    refuse_other_schema(url)
    runner = asyncio.Runner()
    reader = Reader(url)

    def close() -> None:
        with runner:
            runner.run(reader.close())

    return SqlArchive(reader, dialect, runner.run, close)
