"""Where a database is: a SQLite file's path, or PostgreSQL's URL. The one place that tells them apart.

Each function is the implementation's own; nothing is imported before it is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trunkline.db.secrets import Key

if TYPE_CHECKING:
    import sqlalchemy as sa

Place = Path | str
"""A path, or ``postgresql://…``."""


def upgrade(place: Place) -> None:
    """Bring the database up to what this program needs; raises DatabaseUnusable."""
    if isinstance(place, Path):
        from trunkline.db.migrations import upgrade as upgrade_file

        upgrade_file(place)
    else:
        from trunkline.db.postgres.schema import upgrade as upgrade_server

        upgrade_server(place)


def check_key(place: Place, key: Key) -> None:
    """Raises DatabaseUnusable unless the database's secrets are under this key (or it has none)."""
    if isinstance(place, Path):
        from trunkline.db.sqlite.database import check_key as check_file

        check_file(place, key)
    else:
        from trunkline.db.postgres.schema import check_key as check_server

        check_server(place, key)


def core_engine(place: Place) -> sa.Engine:
    """SQLAlchemy Core on the database; of its transactions one is under way at a time."""
    if isinstance(place, Path):
        from trunkline.db.sqlite.connect import core_engine as engine_of_file

        return engine_of_file(place)
    from trunkline.db.postgres.connect import core_engine as engine_of_server

    return engine_of_server(place)
