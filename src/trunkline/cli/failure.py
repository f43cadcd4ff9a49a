"""How a command fails: one line on stderr that says what to do, and exit status 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from trunkline.db.port import DatabaseUnavailable, DatabaseUnusable
from trunkline.settings import SettingsError


class CommandFailed(Exception):
    """A command cannot do what it was asked; the message says why and what to do."""


@contextmanager
def failures() -> Iterator[None]:
    """Turn what is foreseen to go wrong into its line and the exit status."""
    try:
        yield
    except _foreseen() as error:
        _fail(str(error), error)
    except BrokenPipeError:
        raise
    except OSError as error:
        _fail(f"{error.strerror or error}: {error.filename or 'input or output'}", error)


def _foreseen() -> tuple[type[Exception], ...]:
    """Failures whose message is for people. Evaluated only when one is on its way."""
    from trunkline.app import AlreadyRunning
    from trunkline.db.secrets import KeyUnusable
    from trunkline.engine.configuration import ConfigurationError
    from trunkline.engine.install import EngineInstallError
    from trunkline.engine.run_directory import RunDirectoryError
    from trunkline.engine.supervisor import EngineStartError

    return (
        CommandFailed,
        SettingsError,
        DatabaseUnavailable,
        DatabaseUnusable,
        AlreadyRunning,
        ConfigurationError,
        EngineInstallError,
        EngineStartError,
        KeyUnusable,
        RunDirectoryError,
    )


def _fail(message: str, error: Exception) -> None:
    typer.echo("error: " + " ".join(message.split()), err=True)
    raise typer.Exit(1) from error
