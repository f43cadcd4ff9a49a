"""A database open for reading only, beside a running server: a reader in WAL mode blocks no writer."""

from __future__ import annotations

from pathlib import Path

from trunkline.store.common.archive import SqlArchive
from trunkline.store.sqlite import dialect
from trunkline.store.sqlite.queries import driven
from trunkline.store.sqlite.reader import Reader
from trunkline.store.sqlite.schema import refuse_other_schema


def open_archive(path: Path) -> SqlArchive:
    """Raises DatabaseUnusable where there is no database of this program's schema."""
    refuse_other_schema(path)
    reader = Reader(path)
    return SqlArchive(reader, dialect, driven, reader.close)
