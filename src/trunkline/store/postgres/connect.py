"""Opening PostgreSQL as Trunkline needs it: a commit is on the disk when it returns."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.postgres.errors import FAILURES, said

if TYPE_CHECKING:
    import psycopg
    import sqlalchemy as sa

Connection: TypeAlias = asyncpg.Connection
CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 30.0

_SETTINGS = {
    "application_name": "trunkline",
    # Every statement goes by an index to a few rows, in their order; its plan is made once, and kept,
    # also if the tables were nearly empty when it was made. Planning a page of history takes longer
    # than reading it, and a guess at what LIMIT will be can have a whole history sorted.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    "statement_timeout": f"{STATEMENT_SECONDS:.0f}s",
    "lock_timeout": "5s",
    # The server is to notice that this machine is gone, and to let its locks go.
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
# A server that is set to wait for a standby keeps doing so; one that is set to wait for nothing waits.
_DURABLE = """SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') IN ('off', 'local')"""


def options() -> Mapping[str, Any]:
    """What every connection of a running server is opened with.

    Statements stay prepared for as long as the connection lives.
    """
    return {
        "timeout": CONNECT_SECONDS,
        "command_timeout": STATEMENT_SECONDS + 5,
        "server_settings": _SETTINGS,
        "statement_cache_size": 256,
        "max_cached_statement_lifetime": 0,
    }


async def connect(url: str) -> Connection:
    """A connection that may write; raises DatabaseUnavailable."""
    try:
        connection = await asyncpg.connect(url, **options())
        await connection.execute(_DURABLE)
    except FAILURES as error:
        raise DatabaseUnavailable(said(error)) from error
    return connection


async def close(connection: Connection) -> None:
    """Close it in a civil way, or else at once."""
    try:
        await connection.close(timeout=1)
    except (*FAILURES, asyncio.CancelledError):
        with contextlib.suppress(Exception):
            connection.terminate()


def connect_synchronous(url: str) -> psycopg.Connection:
    """A connection for what is not asynchronous: migrating, managing, checking."""
    import psycopg

    return psycopg.connect(url, connect_timeout=int(CONNECT_SECONDS), application_name="trunkline")


def core_engine(url: str) -> sa.Engine:
    """SQLAlchemy Core on the same database, synchronous; of its transactions one is under way at a time.

    By psycopg: management is synchronous, and asyncpg cannot be. Both read the same URLs.
    """
    import sqlalchemy as sa

    engine = sa.create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect_synchronous(url),
        poolclass=sa.pool.NullPool,
    )

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('trunkline directory'))")

    return engine


def checking_engine(url: str) -> sa.Engine:
    """One connection, which begins nothing by itself; unlike ``core_engine`` it shuts nobody out."""
    import sqlalchemy as sa

    return sa.create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect_synchronous(url),
        poolclass=sa.pool.StaticPool,
    )
