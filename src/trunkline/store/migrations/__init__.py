"""The revisions of the schema, and taking a database from one to another; see ``schema.py`` of each."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa


def revisions() -> list[str]:
    """Every migration that this program knows, oldest first: the first four digits of its file."""
    files = resources.files(__package__).joinpath("versions").iterdir()
    return sorted(file.name[:4] for file in files if file.name[:4].isdigit())


def apply(connection: sa.Connection, to: str = "head") -> None:
    """Take the database behind the connection to a revision, up or down, in its transaction."""
    # Alembic takes most of a second to import; most starts do not need it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "trunkline.store:migrations")
    config.attributes["connection"] = connection
    down = to != "head" and to < (_revision_on(connection) or "")
    (command.downgrade if down else command.upgrade)(config, to)


def _revision_on(connection: sa.Connection) -> str | None:
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def views(dialect: str, revision: str) -> list[str]:
    """The statements of ``views/<dialect>_<revision>.sql``, for migrations."""
    file = resources.files(__package__).joinpath("views", f"{dialect}_{revision}.sql")
    return [part for part in file.read_text().split(";\n") if part.strip()]
