"""A database open for reading only, beside a running server: a reader in WAL mode blocks no writer."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from trunkline.store.common.archive import SqlArchive
from trunkline.store.copy.capture import refuse_moved
from trunkline.store.migrations import revisions
from trunkline.store.ports.database import DatabaseUnavailable, DatabaseUnusable
from trunkline.store.sqlite import dialect
from trunkline.store.sqlite.queries import driven, named
from trunkline.store.sqlite.reader import Reader


def open_archive(path: Path) -> SqlArchive:
    """Raises DatabaseUnusable where there is no database of this program's schema."""
    reader = Reader(path)
    _refuse_other_schema(reader, path)
    return SqlArchive(reader, dialect, driven, reader.close)


def _refuse_other_schema(reader: Reader, path: Path) -> None:
    try:
        refuse_moved(reader.connection(), path)
        found = driven(reader.one(named("archive").revision))
    except (DatabaseUnavailable, sqlite3.DatabaseError) as error:
        raise DatabaseUnusable(f"{path} cannot be read: {error.__cause__ or error}") from error
    if found in revisions()[:-1]:
        raise DatabaseUnusable(
            f"{path} is of an older Trunkline: trunkline up brings it up to date"
        )
    if found != revisions()[-1]:
        raise DatabaseUnusable(f"{path} is of a newer Trunkline: use that one")
