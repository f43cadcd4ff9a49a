"""What stands in either database, whatever it is asked for."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cluster import binaries
from trunkline.store.location import Location


def everything_stored(place: Location) -> bytes:
    """All of the database, as bytes that a secret would be found in."""
    if isinstance(place, Path):
        return b"".join(file.read_bytes() for file in place.parent.glob("trunkline.db*"))
    dump = [binaries() / "pg_dump", "--data-only", place]
    return subprocess.run(dump, capture_output=True, check=True).stdout
