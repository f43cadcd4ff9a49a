"""What PostgreSQL says, in the port's words: unavailable, worth another try, or our own fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from trunkline.store.common.dialect import Again
from trunkline.store.ports.database import DatabaseUnavailable

_OWN_FAULT = {"0A", "21", "22", "23", "26", "2B", "42", "44", "P0"}
"""Classes of SQLSTATE (PostgreSQL's Appendix A) in which the statement failed, and not the server."""
_AGAIN = {"40001", "40P01"}
"""A serialization failure, a deadlock."""
_ENDED = {"57P01", "57P02", "57P03", "57P05", "25P03"}
"""The server has ended the connection, or is about to."""

FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""All that a statement can raise."""


def is_own_fault(error: BaseException) -> bool:
    """Did the statement fail, and not the server or the way to it?"""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in _OWN_FAULT
    return isinstance(error, asyncpg.DataError)  # of the driver: a value that is not of its type


def is_lost(error: BaseException) -> bool:
    """Is the connection of no more use?"""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "08")[:2] == "08" or error.sqlstate in _ENDED
    return not isinstance(error, asyncpg.DataError)


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn what PostgreSQL says about itself into DatabaseUnavailable, or into its kind Again.

    Right only where nothing can have been committed, or nothing is written.
    """
    try:
        yield
    except FAILURES as error:
        if is_own_fault(error):
            raise
        kind = Again if _is_worth_another_try(error) else DatabaseUnavailable
        raise kind(said(error)) from error


def said(error: BaseException) -> str:
    """One line for people. There is never a password in it: drivers do not name any."""
    text = str(error).partition("\n")[0] or type(error).__name__
    return f"PostgreSQL cannot be used now: {text}"


def _is_worth_another_try(error: BaseException) -> bool:
    return getattr(error, "sqlstate", None) in _AGAIN or is_lost(error)
