"""Either database, opened for the suites that both have to pass."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from cluster import binaries
from trunkline.db import postgres, sqlite
from trunkline.db.place import Place
from trunkline.db.secrets import Key


def open_place(place: Place, key: Key, **options: Any) -> Any:
    """The database there, as ``app.py`` opens it."""
    if isinstance(place, str):
        return postgres.open_database(place, key, **options)
    return sqlite.open_database(place, key, **options)


def everything_stored(place: Place) -> bytes:
    """All of the database, as bytes that a secret would be found in."""
    if isinstance(place, Path):
        return b"".join(file.read_bytes() for file in place.parent.glob("trunkline.db*"))
    dump = [binaries() / "pg_dump", "--data-only", place]
    return subprocess.run(dump, capture_output=True, check=True).stdout
