"""The role by which Asterisk reads: its views, and nothing else."""

from __future__ import annotations

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from trunkline.store.ports.database import DatabaseUnavailable, DatabaseUnusable
from trunkline.store.postgres.connect import CONNECT_SECONDS
from trunkline.store.postgres.schema import shown

VIEWS = (
    *("ps_endpoints", "ps_auths", "ps_aors", "tl_phones", "tl_phones_opus"),
    *("tl_callers", "tl_rights", "tl_accounts", "tl_dialled", "tl_inbound", "tl_steps", "tl_music"),
    *("tl_limits", "tl_emergency"),
    # the dialplan of the version before
    *("tl_devices", "tl_extensions", "tl_dids"),
)

_LOGIN = "{verb} ROLE {role} LOGIN PASSWORD {secret}"
# A look-up that hangs would hang a thread of Asterisk's.
_RIGHTS = (
    "ALTER ROLE {role} SET default_transaction_read_only = on",
    "ALTER ROLE {role} SET statement_timeout = '2s'",
    "ALTER ROLE {role} SET lock_timeout = '500ms'",
    # res_config_pgsql names the views without their schema.
    "ALTER ROLE {role} IN DATABASE {database} SET search_path = {schema}",
    "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}",
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "GRANT SELECT ON {views} TO {role}",
)


def let_read(url: str, role: str, password: str) -> None:
    """Make the role, or give it this password, and let it read the views of a migrated database.

    The server is sent a SCRAM verifier: the password stands in no log. Raises DatabaseUnavailable;
    DatabaseUnusable when the database's user may not make roles, and says what its owner is to do.
    """
    try:
        with psycopg.connect(url, connect_timeout=int(CONNECT_SECONDS)) as connection:
            _make(connection, role, password)
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseUnusable(
            f"the user of {shown(url)} may not make the role {role} that Asterisk reads by: have "
            f"an administrator run ALTER ROLE {_user(url)} CREATEROLE, and start again"
        ) from error
    except psycopg.Error as error:
        raise DatabaseUnavailable(f"cannot use {shown(url)}: {said(error, url)}") from error


def _make(connection: psycopg.Connection, role: str, password: str) -> None:
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('trunkline directory'))")
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    verifier = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    ).decode()
    schema = connection.execute("SELECT current_schema()").fetchone()
    names = {
        "verb": sql.SQL("ALTER" if known else "CREATE"),
        "role": sql.Identifier(role),
        "secret": sql.Literal(verifier),
        "database": sql.Identifier(connection.info.dbname),
        "schema": sql.Identifier(schema[0] if schema else "public"),
        "views": sql.SQL(", ").join(map(sql.Identifier, VIEWS)),
    }
    for statement in (_LOGIN, *_RIGHTS):
        connection.execute(sql.SQL(statement).format(**names))


def said(error: psycopg.Error, url: str = "") -> str:
    """The first line of what went wrong, without the URL's password."""
    text = str(error).partition("\n")[0]
    return text.replace(url, shown(url)) if url else text


def _user(url: str) -> str:
    return str(conninfo_to_dict(url).get("user", "…"))
