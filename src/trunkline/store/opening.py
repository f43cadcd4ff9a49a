"""Opening a database by its location, whichever it is: the one place that tells them apart.

Each function is the implementation's own; nothing is imported before it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from trunkline.store.location import Location
from trunkline.store.secrets import InstallationKey

if TYPE_CHECKING:
    import sqlalchemy as sa

    from trunkline.store.check import Difference, Part
    from trunkline.store.ports.archive import Archive
    from trunkline.store.ports.call_writer import CallWriter
    from trunkline.store.ports.database import Database
    from trunkline.store.postgres.examining import Looked


def open_database(location: Location, key: InstallationKey) -> Database:
    """The database open, made and migrated first if need be.

    Raises DatabaseUnusable, and DatabaseUnavailable where PostgreSQL is away.
    """
    if isinstance(location, Path):
        from trunkline.store.sqlite import open_database as open_file

        return open_file(location, key)
    from trunkline.store.postgres import open_database as open_on_server

    return open_on_server(location, key)


def open_archive(location: Location) -> Archive:
    """The database open for reading only, beside a server.

    Raises DatabaseUnusable where it is not of this program's schema, and DatabaseUnavailable.
    """
    if isinstance(location, Path):
        from trunkline.store.sqlite.archive import open_archive as open_file

        return open_file(location)
    from trunkline.store.postgres.archive import open_archive as open_on_server

    return open_on_server(location)


def copier(
    location: Location, progress: Callable[[float], None]
) -> tuple[str, Callable[[Path], None]]:
    """The schema's revision, and what copies the database, as it is at one moment, into a new file.

    The copy is verified; of PostgreSQL it is what pg_dump writes. Raise DatabaseUnusable, and
    DatabaseUnavailable.
    """
    if isinstance(location, Path):
        from trunkline.store.sqlite.schema import revision as revision_of
        from trunkline.store.sqlite.snapshot import copy_database

        return revision_of(location), lambda target: copy_database(location, target, progress)
    from trunkline.store.postgres.dumping import dump, revision

    return revision(location), lambda target: dump(location, target)


def call_writer(location: Location, shared: Callable[[], bool]) -> CallWriter:
    """Writes many calls; ``shared()`` says whether a server runs on the database now.

    Raises DatabaseUnavailable.
    """
    if isinstance(location, Path):
        from trunkline.store.sqlite.bulk import BulkWriter as FileWriter

        return FileWriter(location, shared)
    from trunkline.store.postgres.bulk import BulkWriter

    return BulkWriter(location)


def dry_writer(location: Location) -> CallWriter:
    """Looks which calls would be new, and writes nothing. Raises DatabaseUnavailable."""
    if isinstance(location, Path):
        from trunkline.store.sqlite.bulk import DryWriter as DryFile

        return DryFile(location)
    from trunkline.store.postgres.bulk import DryWriter

    return DryWriter(location)


def upgrade(location: Location) -> None:
    """Bring the database up to what this program needs; raises DatabaseUnusable."""
    if isinstance(location, Path):
        from trunkline.store.sqlite.schema import upgrade as upgrade_file

        upgrade_file(location)
    else:
        from trunkline.store.postgres.schema import upgrade as upgrade_server

        upgrade_server(location)


def check_key(location: Location, key: InstallationKey) -> None:
    """Raises DatabaseUnusable unless the database's secrets are under this key (or it has none)."""
    if isinstance(location, Path):
        from trunkline.store.sqlite.schema import check_key as check_file

        check_file(location, key)
    else:
        from trunkline.store.postgres.schema import check_key as check_server

        check_server(location, key)


def core_engine(location: Location) -> sa.Engine:
    """SQLAlchemy Core on the database; of its transactions one is under way at a time."""
    if isinstance(location, Path):
        from trunkline.store.sqlite.connect import core_engine as engine_of_file

        return engine_of_file(location)
    from trunkline.store.postgres.connect import core_engine as engine_of_server

    return engine_of_server(location)


def check(
    location: Location, repair: bool, parts: tuple[Part, ...] | None = None
) -> Iterator[Difference]:
    """Compare what is kept beside the calls with them (``store.check.check``). Raises DatabaseUnavailable."""
    from trunkline.store.check import PARTS
    from trunkline.store.check import check as check_with

    if isinstance(location, Path):
        from trunkline.store.sqlite.connect import checking_engine as engine_of_file

        engine = engine_of_file(location, repair)
    else:
        from trunkline.store.postgres.connect import checking_engine as engine_of_server

        engine = engine_of_server(location)
    return check_with(engine, repair, parts or PARTS)


# ---- a copy, and a server before it is used ----------------------------------------------------------


def examine_copy(file: Path, dumped: bool) -> None:
    """Raises DatabaseUnusable unless what ``copier`` has written can be used; ``dumped``: of PostgreSQL."""
    if dumped:
        from trunkline.store.postgres.dumping import examine as examine_dump

        examine_dump(file)
    else:
        from trunkline.store.sqlite.snapshot import examine as examine_file

        examine_file(file)


def refuse_full(url: str) -> None:
    """Raises DatabaseUnusable unless the database is empty, and DatabaseUnavailable."""
    from trunkline.store.postgres import dumping

    dumping.refuse_full(url)


def load_dump(url: str, file: Path) -> None:
    """Bring a dump into an empty database: whole, or not at all (``postgres.dumping.load``)."""
    from trunkline.store.postgres import dumping

    dumping.load(url, file)


def look(url: str) -> Looked:
    """What there is to say of a PostgreSQL server; changes nothing. Raises DatabaseUnavailable."""
    from trunkline.store.postgres import examining

    return examining.look(url)
