"""Where a database is: a SQLite file's path, or PostgreSQL's URL."""

from __future__ import annotations

from pathlib import Path

Location = Path | str
"""A path, or ``postgresql://…``."""


def exists(location: Location) -> bool:
    """Is there a database of Trunkline? Makes none. Raises DatabaseUnavailable."""
    if isinstance(location, Path):
        return location.exists()
    from trunkline.store.postgres.schema import exists as exists_on_server

    return exists_on_server(location)


def shown(location: Location) -> str:
    """The database for people; of a URL nothing that is secret."""
    if isinstance(location, Path):
        return str(location)
    from trunkline.store.postgres.schema import shown as shown_url

    return shown_url(location)
