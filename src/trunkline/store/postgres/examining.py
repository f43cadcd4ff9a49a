"""What there is to say of a PostgreSQL server and a database of it before Trunkline uses it."""

from __future__ import annotations

from typing import NamedTuple

from trunkline.store.postgres.schema import connected, shown

OLDEST = 15

_LOOK = """SELECT current_setting('server_version'), current_setting('server_version_num')::int / 10000,
    pg_encoding_to_char(encoding), pg_is_in_recovery(),
    array_remove(ARRAY[CASE WHEN current_setting('fsync') <> 'on' THEN 'fsync' END,
                       CASE WHEN current_setting('full_page_writes') <> 'on'
                            THEN 'full_page_writes' END], NULL),
    rolname, rolcreaterole OR rolsuper
FROM pg_database, pg_roles WHERE datname = current_database() AND rolname = current_user"""


class Looked(NamedTuple):
    """A server and a database of it. ``shown`` and ``user`` name them; nothing here is secret."""

    shown: str
    version: str
    major: int
    encoding: str
    is_standby: bool
    not_durable: list[str]
    """Settings that are off, so that the server may lose what it has acknowledged."""
    user: str
    may_make_roles: bool
    oldest: int = OLDEST
    """The oldest major version that will do."""


def look(url: str) -> Looked:
    """Look at it; changes nothing. Raises DatabaseUnavailable."""
    with connected(url) as connection:
        row = connection.execute(_LOOK).fetchone()
    assert row is not None
    return Looked(shown(url), *row)
