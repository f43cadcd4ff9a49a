"""One step after the other, each in a transaction of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Self

import sqlalchemy as sa
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from trunkline.store import tables
from trunkline.store.ports.database import DatabaseUnavailable

_OWN_FAULT = (DataError, IntegrityError, ProgrammingError)


class Difference(NamedTuple):
    """Something that is not what the rows say.

    ``of`` is ``calls`` where their number is wrong, else the sum or what finds a call. ``starts_at`` is
    the first moment of the stretch of that width, or of the call, in unix microseconds.
    """

    account_id: str
    of: str
    width: str
    starts_at: int
    counted: int
    there: int


class Steps:
    """A database that is read, and mended where ``repair`` is true. Raises DatabaseUnavailable."""

    def __init__(self, engine: sa.Engine, repair: bool) -> None:
        self.repair = repair
        self._engine = engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One state of the database."""
        with _unavailable(), self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            else:
                connection.exec_driver_sql("BEGIN")
            yield connection

    @contextmanager
    def write(self, account_id: str) -> Iterator[sa.Connection]:
        """A transaction in which nobody else writes calls of the account."""
        with _unavailable(), self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                lock = sa.select(tables.accounts.c.id).where(tables.accounts.c.id == account_id)
                connection.execute(lock.with_for_update(key_share=True))
            else:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except _OWN_FAULT:
        raise
    except DBAPIError as error:
        raise DatabaseUnavailable(f"the database cannot be used now: {error.orig}") from error
    except sqlite3.DatabaseError as error:  # of who connects
        raise DatabaseUnavailable(f"the database cannot be used now: {error}") from error
