"""Where a database is: a SQLite file's path, or PostgreSQL's URL. The one place that tells them apart.

Each function is the implementation's own; nothing is imported before it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trunkline.calls.record import CallRecord
from trunkline.store.secrets import InstallationKey

if TYPE_CHECKING:
    import sqlalchemy as sa

    from trunkline.store.ports.archive import Archive
    from trunkline.store.ports.database import Database

Place = Path | str
"""A path, or ``postgresql://…``."""


class CallWriter(Protocol):
    """Writes finished calls from a process of its own, not the server's."""

    def write(self, records: Sequence[CallRecord]) -> list[bool]:
        """Write them in one transaction, with their counts; for each, whether it was new.

        What is acknowledged is on the disk. Raises DatabaseUnavailable, and then none is written.
        """

    def close(self) -> None:
        """Close what it has open."""


def exists(place: Place) -> bool:
    """Is there a database of Trunkline? Makes none. Raises DatabaseUnavailable."""
    if isinstance(place, Path):
        return place.exists()
    from trunkline.store.postgres.schema import exists as exists_on_server

    return exists_on_server(place)


def shown(place: Place) -> str:
    """The database for people; of a URL nothing that is secret."""
    if isinstance(place, Path):
        return str(place)
    from trunkline.store.postgres.schema import shown as shown_url

    return shown_url(place)


def open_database(place: Place, key: InstallationKey) -> Database:
    """The database open, made and migrated first if need be.

    Raises DatabaseUnusable, and DatabaseUnavailable where PostgreSQL is away.
    """
    if isinstance(place, Path):
        from trunkline.store.sqlite import open_database as open_file

        return open_file(place, key)
    from trunkline.store.postgres import open_database as open_on_server

    return open_on_server(place, key)


def open_archive(place: Place) -> Archive:
    """The database open for reading only, beside a server.

    Raises DatabaseUnusable where it is not of this program's schema, and DatabaseUnavailable.
    """
    if isinstance(place, Path):
        from trunkline.store.sqlite.archive import open_archive as open_file

        return open_file(place)
    from trunkline.store.postgres.archive import open_archive as open_on_server

    return open_on_server(place)


def copier(place: Place, progress: Callable[[float], None]) -> tuple[str, Callable[[Path], None]]:
    """The schema's revision, and what copies the database, as it is at one moment, into a new file.

    The copy is verified; of PostgreSQL it is what pg_dump writes. Raise DatabaseUnusable, and
    DatabaseUnavailable.
    """
    if isinstance(place, Path):
        from trunkline.store.sqlite.snapshot import copy_database, schema

        return schema(place), lambda target: copy_database(place, target, progress)
    from trunkline.store.postgres.dumping import dump, revision

    return revision(place), lambda target: dump(place, target)


def call_writer(place: Place, shared: Callable[[], bool]) -> CallWriter:
    """Writes many calls; ``shared()`` says whether a server runs on the database now.

    Raises DatabaseUnavailable.
    """
    if isinstance(place, Path):
        from trunkline.store.sqlite.bulk import BulkWriter as FileWriter

        return FileWriter(place, shared)
    from trunkline.store.postgres.bulk import BulkWriter

    return BulkWriter(place)


def dry_writer(place: Place) -> CallWriter:
    """Looks which calls would be new, and writes nothing. Raises DatabaseUnavailable."""
    if isinstance(place, Path):
        from trunkline.store.sqlite.bulk import DryWriter as DryFile

        return DryFile(place)
    from trunkline.store.postgres.bulk import DryWriter

    return DryWriter(place)


def upgrade(place: Place) -> None:
    """Bring the database up to what this program needs; raises DatabaseUnusable."""
    if isinstance(place, Path):
        from trunkline.store.migrations import upgrade as upgrade_file

        upgrade_file(place)
    else:
        from trunkline.store.postgres.schema import upgrade as upgrade_server

        upgrade_server(place)


def check_key(place: Place, key: InstallationKey) -> None:
    """Raises DatabaseUnusable unless the database's secrets are under this key (or it has none)."""
    if isinstance(place, Path):
        from trunkline.store.sqlite.database import check_key as check_file

        check_file(place, key)
    else:
        from trunkline.store.postgres.schema import check_key as check_server

        check_server(place, key)


def core_engine(place: Place) -> sa.Engine:
    """SQLAlchemy Core on the database; of its transactions one is under way at a time."""
    if isinstance(place, Path):
        from trunkline.store.sqlite.connect import core_engine as engine_of_file

        return engine_of_file(place)
    from trunkline.store.postgres.connect import core_engine as engine_of_server

    return engine_of_server(place)
