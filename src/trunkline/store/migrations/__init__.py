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


_VIEWS = {
    "postgresql": {
        "CREATE VIEW": "CREATE OR REPLACE VIEW",
        "{phones}": "SELECT string_agg('PJSIP/' || d.sip_user, '&' ORDER BY d.created_at, d.id)"
        " FROM devices d WHERE d.user_id = u.id AND d.enabled",
        "{outbound_routes}": "SELECT string_agg({line}, '&' ORDER BY {order}) {routes}",
        "{trunks}": "SELECT string_agg('trunk-' || t.id, '&' ORDER BY {first}) {theirs}",
    },
    "sqlite": {  # whose group_concat takes no ORDER BY before 3.44
        "{phones}": "SELECT group_concat('PJSIP/' || r.sip_user, '&') FROM (SELECT d.sip_user"
        " FROM devices d WHERE d.user_id = u.id AND d.enabled ORDER BY d.created_at, d.id) r",
        "{outbound_routes}": "SELECT group_concat(r.line, '&')"
        " FROM (SELECT {line} AS line {routes} ORDER BY {order}) r",
        "{trunks}": "SELECT group_concat(r.name, '&')"
        " FROM (SELECT 'trunk-' || t.id AS name {theirs} ORDER BY {first}) r",
    },
}
"""What stands in each dialect for a text or a slot of ``views/*.sql``."""
_ROUTES = {
    "{line}": "o.prefix || ':trunk-' || t.id || ':' || o.strip || ':' || o.prepend",
    "{order}": 'length(o.prefix) DESC, o."order", o.created_at, o.id',
    "{first}": "t.priority, t.created_at, t.id",
    "{theirs}": "FROM trunks t"
    " WHERE t.account_id = a.id AND t.enabled AND (t.sandbox OR NOT a.sandbox)",
    "{routes}": "FROM outbound_routes o JOIN trunks t ON t.id = o.trunk_id"
    " WHERE o.account_id = a.id AND t.enabled AND (t.sandbox OR NOT a.sandbox)",
}


def views(dialect: str, revision: str) -> list[str]:
    """The statements of ``views/<revision>.sql`` in a dialect, for migrations."""
    text = resources.files(__package__).joinpath("views", f"{revision}.sql").read_text()
    for slot, said in (_VIEWS[dialect] | _ROUTES).items():
        text = text.replace(slot, said)
    return [part for part in text.split(";\n") if part.strip()]
