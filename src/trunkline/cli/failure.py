"""How a command fails: one line on stderr that says what to do, and exit status 1."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer


class CommandFailed(Exception):
    """A command cannot do what it was asked; the message says why and what to do."""


@contextmanager
def failures() -> Iterator[None]:
    """Turn a foreseen failure into its line and the exit status."""
    try:
        yield
    except _foreseen() as error:
        _fail(_with_advice(error), error)
    except BrokenPipeError:
        raise
    except UnicodeEncodeError as error:
        _fail(f"{error.object!a} is no text in UTF-8", error)
    except OSError as error:
        _fail(f"{error.strerror or error}: {error.filename or 'input or output'}", error)


_FORESEEN = {
    "trunkline.backups.manifest": ("BackupUnusable",),
    "trunkline.directory.rules": ("DirectoryRefused",),
    "trunkline.server.setting_forms": ("SettingsError",),
    "trunkline.store.ports.database": ("DatabaseUnavailable", "DatabaseUnusable"),
    "trunkline.store.postgres.advisory_lock": ("DatabaseTaken",),
    "trunkline.store.secrets": ("KeyUnusable",),
    "trunkline.server.listening": ("AlreadyRunning",),
    "trunkline.engine.config.configuration": ("ConfigurationError",),
    "trunkline.engine.install.choose": ("EngineInstallError",),
    "trunkline.engine.config.run_directory": ("RunDirectoryError",),
    "trunkline.engine.process.supervisor": ("EngineStartError",),
}
"""Failures whose message is for people. Whoever raises one has imported its module."""


def _foreseen() -> tuple[type[Exception], ...]:
    imported = (
        getattr(sys.modules[module], name, CommandFailed)
        for module, names in _FORESEEN.items()
        if module in sys.modules
        for name in names
    )
    return (CommandFailed, *imported)


def _with_advice(error: Exception) -> str:
    """The message; when the database is away, with what to do about it."""
    message = str(error)
    if type(error).__name__ != "DatabaseUnavailable" or "again" in message:
        return message
    return f"{message}; trunkline doctor tells what to look at"


def _fail(message: str, error: Exception) -> None:
    typer.echo("error: " + " ".join(message.split()), err=True)
    raise typer.Exit(1) from error
