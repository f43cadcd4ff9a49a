"""Failures after which a command tries again, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from stamina.instrumentation import RetryDetails, get_on_retry_hooks, set_on_retry_hooks


class TransientFailure(Exception):
    """It may be gone a little later; the message says what it is."""


@contextmanager
def telling_of_retries() -> Iterator[None]:
    """Say on standard error when a transient failure is tried again, and when."""
    before = get_on_retry_hooks()
    set_on_retry_hooks([_tell])
    try:
        yield
    finally:
        set_on_retry_hooks(before)


def _tell(details: RetryDetails) -> None:
    if isinstance(details.caused_by, TransientFailure):
        pause = f"trying again in {details.wait_for:.1f} s"
        typer.echo(f"{details.caused_by}; {pause}", err=True)
