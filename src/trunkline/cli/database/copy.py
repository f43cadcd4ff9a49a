"""trunkline db copy: from SQLite to PostgreSQL, while the server goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.failure import CommandFailed
from trunkline.cli.options import Json
from trunkline.cli.output import show_one

if TYPE_CHECKING:
    from trunkline.store.copy.port import CopySource, CopyTarget
    from trunkline.work.upkeep.copy_database import CopyResult, Progress

_TELL_EVERY = 30.0
"""Seconds between two lines where there is no terminal."""


def copy(
    ctx: typer.Context,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="TRUNKLINE_COPY_TO",
            show_envvar=True,
            help="A new, empty database: postgresql://user:password@host/name.",
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow until the server stops, and switch then.")
    ] = False,
    switch: Annotated[
        bool, typer.Option("--switch", help="Write the database setting into trunkline.toml.")
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare every row again, also if all were compared.")
    ] = False,
    abort: Annotated[
        bool,
        typer.Option(
            "--abort",
            help="End the copy, or take a moved database into use again; with --to, remove what was copied.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Move everything over to PostgreSQL, while the server goes on; nothing is lost when it is broken off.

    Every row is copied and compared, and what is written meanwhile follows. Once no server runs, the last
    changes are taken over and the old database is marked as moved. Start the same command again after
    any break: it goes on where it was.
    """
    from trunkline.server.wiring.database import copy_source, copy_target

    file = _file(ctx, to, abort)
    with ExitStack() as stack:
        stack.enter_context(_only_copy(file))
        source = stack.enter_context(copy_source(file))
        target = None if to is None else stack.enter_context(copy_target(to))
        if abort:
            return _abort(ctx, source, target)
        if target is None or to is None:
            raise CommandFailed("name the new database: --to postgresql://user:password@host/name")
        outcome = _run(file, source, target, wait, compare)
    if outcome.moved:
        _check_key(file, to)
    show_one(_shown(outcome, target.shown, as_json), as_json)
    _say_what_next(file.parent / "trunkline.toml", outcome, to, switch)
    return None


def _file(ctx: typer.Context, to: str | None, abort: bool) -> Path:
    settings = settings_of(ctx)
    settings_of(ctx, database=to)  # what no server would take is refused before anything is copied
    file = settings.directory / "trunkline.db"
    if settings.database and settings.database != to and not abort:
        raise CommandFailed("the database is PostgreSQL already: the setting database says so")
    if not file.exists():
        raise CommandFailed(f"there is no database in {file.parent}: name another with --data")
    return file


@contextmanager
def _only_copy(file: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        with FileLock(file.with_name(f"{file.name}.copying"), timeout=0):
            yield
    except Timeout:
        raise CommandFailed(f"another trunkline db copy is at work on {file}") from None


def _abort(ctx: typer.Context, source: CopySource, target: CopyTarget | None) -> None:
    from trunkline.work.upkeep.copy_database import abort

    moved = source.moved()
    if moved is not None and settings_of(ctx).database:
        raise CommandFailed(
            f"the setting database is in force, and calls go to {moved}: stop the server, and take"
            " the setting out of trunkline.toml and the environment first"
        )
    if not abort(source, target):
        raise CommandFailed("no copy is under way, and the database was not moved")
    if moved is not None:
        typer.echo(
            f"the database in the data directory is in use again; what was written to {moved} since the"
            " move is not in it",
            err=True,
        )
    else:
        typer.echo("the copy is ended", err=True)


def _run(
    file: Path, source: CopySource, target: CopyTarget, wait: bool, compare: bool
) -> CopyResult:
    from trunkline.store.opening import check_key
    from trunkline.store.secrets import open_key
    from trunkline.work.upkeep.copy_database import CopyDatabase

    if not (file.parent / "secret.key").exists():
        raise CommandFailed(f"there is no secret.key beside {file}: put it back first")
    check_key(file, open_key(file.parent / "secret.key"))
    with _progress() as tell:
        return CopyDatabase(source, target, lambda: _alone(file.parent), tell).run(wait, compare)


@contextmanager
def _alone(directory: Path) -> Iterator[bool]:
    """Lock the data directory; False while a server has it."""
    from trunkline.server.listening import AlreadyRunning, data_lock

    with ExitStack() as stack:
        try:
            stack.enter_context(data_lock(directory))
        except AlreadyRunning:
            yield False
            return
        yield True


def _check_key(file: Path, to: str) -> None:
    from trunkline.store.opening import check_key
    from trunkline.store.secrets import open_key

    check_key(to, open_key(file.parent / "secret.key"))


def _shown(outcome: CopyResult, to: str, as_json: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "to": to,
        "state": "moved" if outcome.moved else "following",
        "calls": outcome.rows.get("calls"),
        "rows": sum(outcome.rows.values()),
        "copiedRows": outcome.copied,
        "seconds": round(outcome.seconds, 1),
    }
    if as_json:
        shown["tables"] = {
            name: {"rows": rows, "sha256": outcome.checksums.get(name)}
            for name, rows in outcome.rows.items()
        }
    return shown


def _say_what_next(file: Path, outcome: CopyResult, to: str, switch: bool) -> None:
    if not outcome.moved:
        typer.echo(
            "every row was compared, and the copy follows; stop the server to switch, then start the same"
            " command again (or start it with --wait before)",
            err=True,
        )
    elif switch and _written(file, to):
        typer.echo(f"moved; {file} says so: start the server", err=True)
    else:
        typer.echo(
            f"moved; put this into {file}, and start the server:\n"
            f"database = {_quoted(_without_password(to))}",
            err=True,
        )


def _written(file: Path, to: str) -> bool:
    from trunkline.server.setting_forms import SettingsError
    from trunkline.server.settings_file import write_setting

    try:
        write_setting(file, "database", to)
    except SettingsError as error:
        typer.echo(f"warning: {error}", err=True)
        return False
    return True


def _without_password(url: str) -> str:
    from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    user, colon, _ = login.partition(":")
    named = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode(
        [(name, "PASSWORD" if "password" in name else value) for name, value in named]
    )
    netloc = f"{user}{colon and ':PASSWORD'}{at}{host}"
    return urlunsplit(parts._replace(netloc=netloc, query=query))


def _quoted(text: str) -> str:
    from trunkline.server.settings_file import toml_string

    return toml_string(text)


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal; elsewhere a line for each new step, and one now and then."""
    if not sys.stderr.isatty():
        yield _Lines().tell
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(progress: Progress) -> None:
            bar.update(
                task,
                description=_words(progress),
                completed=progress.done,
                total=progress.of or None,
            )

        yield tell


class _Lines:
    def __init__(self) -> None:
        self._step, self._next = "", 0.0

    def tell(self, progress: Progress) -> None:
        """Print a line, if the step is new or the last line is old."""
        said = progress.trouble or progress.step
        if said == self._step and (time.monotonic() < self._next or not progress.of):
            return
        self._step, self._next = said, time.monotonic() + _TELL_EVERY
        of = f" ({progress.done} of {progress.of})" if progress.of else ""
        typer.echo(f"{_words(progress)}{of}", err=True)


def _words(progress: Progress) -> str:
    if progress.trouble:
        return f"{progress.trouble}; trying again"
    if progress.step == "following":
        return "the copy follows; stop the server to switch"
    return f"{progress.step} {progress.what}".rstrip()
