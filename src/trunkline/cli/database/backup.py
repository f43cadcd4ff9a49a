"""trunkline backup and trunkline restore."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.failure import CommandFailed
from trunkline.cli.output import show_one

if TYPE_CHECKING:
    from trunkline.backups.manifest import Manifest
    from trunkline.backups.writing import Contents

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def backup(
    ctx: typer.Context,
    to: Annotated[
        Path, typer.Argument(metavar="DIR|FILE.tar", help="A folder of backups, or one tar.")
    ],
    without_recordings: Annotated[
        bool, typer.Option("--without-recordings", help="Leave recordings and raw audio out.")
    ] = False,
    without_key: Annotated[
        bool, typer.Option("--without-key", help="Leave secret.key out; keep it elsewhere.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Back everything up, also while the server runs; what is written is verified.

    In a folder, each backup stands under its time, and recordings that the one before has already are
    linked to it. A backup appears whole, or not at all.
    """
    from trunkline.backups.writing import write_folder, write_tar

    with _failures(), _progress("copying the database") as progress:
        contents = _contents(ctx, progress, not without_key, not without_recordings)
        if to.suffix == ".tar":
            made, where = write_tar(contents, to), to
        else:
            name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            where, made = write_folder(contents, to, name)
    _warn(made)
    show_one({"backup": str(where), **_shown(made)}, as_json)


def restore(
    ctx: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(metavar="FROM", help="A backup, a folder of them (the newest), or a tar."),
    ],
    data: Annotated[
        str | None, typer.Option(metavar="NEW", help="The data directory: new, or empty.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The secret.key, if the backup has none.")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="For a backup of a PostgreSQL database: a new, empty one to restore into. It holds a password: rather set TRUNKLINE_DATABASE.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring a backup into a new data directory; it is verified before it is put in place.

    That of a PostgreSQL database is restored into another one, which the new settings file names.
    """
    from trunkline.backups.restoring import restore as bring_back

    if not source.exists():
        raise CommandFailed(f"there is no {source}")
    settings = settings_of(ctx, database=database, **({} if data is None else {"data": data}))
    directory = settings.directory
    with _failures():
        made = bring_back(
            source,
            directory,
            key,
            lambda folder: _check(folder, settings.database),
            lambda folder: _load(folder, settings.database),
        )
    if not made.has_key and key is None:
        typer.echo(
            f"warning: the backup has no secret.key: put the one that belongs to it into {directory} "
            "before the server starts; the manifest's signature was not checked",
            err=True,
        )
    show_one({"data": str(directory), **_shown(made)}, as_json)


def _contents(
    ctx: typer.Context, progress: Callable[[float], None], with_key: bool, with_recordings: bool
) -> Contents:
    from trunkline import __version__
    from trunkline.backups.manifest import DATABASE, DUMP, KEY, PURPOSE
    from trunkline.backups.writing import Contents
    from trunkline.calls.times import rfc3339
    from trunkline.store.place import copier, exists
    from trunkline.store.secrets import open_key

    settings = settings_of(ctx)
    data, place = settings.directory, settings.place
    if not exists(place) or not (data / KEY).exists():
        raise CommandFailed(f"there is nothing to back up in {data}: name another with --data")
    others = (settings.sip_tls_cert, settings.sip_tls_key)
    schema, copy_database = copier(place, progress)
    return Contents(
        data=data,
        database=DATABASE if isinstance(place, Path) else DUMP,
        copy_database=copy_database,
        signing_key=open_key(data / KEY).derive(PURPOSE),
        trunkline=__version__,
        schema=schema,
        made_at=rfc3339(time.time_ns() // 1000),
        with_key=with_key,
        with_recordings=with_recordings,
        not_copied=[each for each in others if each],
    )


def _check(folder: Path, url: str) -> bytes | None:
    """The database is sound, and under this key if there is one; gives what the manifest is signed by."""
    from trunkline.backups.manifest import DATABASE, DUMP, KEY, PURPOSE
    from trunkline.store.place import check_key
    from trunkline.store.secrets import open_key

    if (folder / DUMP).exists():
        _examine_dump(folder / DUMP, url)
    else:
        from trunkline.store.sqlite.snapshot import examine

        examine(folder / DATABASE)
    if not (folder / KEY).exists():
        return None
    key = open_key(folder / KEY)
    if (folder / DATABASE).exists():
        check_key(folder / DATABASE, key)
    return key.derive(PURPOSE)


def _examine_dump(file: Path, url: str) -> None:
    if not url:
        raise CommandFailed(
            "this is the backup of a PostgreSQL database: make a new, empty one, and name it by "
            "TRUNKLINE_DATABASE or --database"
        )
    from trunkline.store.postgres.dumping import examine, refuse_full

    refuse_full(url)
    examine(file)


def _load(folder: Path, url: str) -> None:
    """A dump goes into its new database, which the settings then name."""
    from trunkline.backups.manifest import DUMP, SETTINGS
    from trunkline.server.settings_file import write_setting

    if not (folder / DUMP).exists():
        return
    from trunkline.store.postgres.dumping import load

    write_setting(folder / SETTINGS, "database", url)
    load(url, folder / DUMP)
    (folder / DUMP).unlink()


def _warn(made: Manifest) -> None:
    if made.has_key:
        typer.echo(
            "warning: the backup holds secret.key: whoever reads it can read app secrets and trunk "
            "passwords; keep it as safe as the server, or use --without-key",
            err=True,
        )
    else:
        typer.echo(
            "warning: the backup has no secret.key: without that file it is of no use; keep a copy elsewhere",
            err=True,
        )
    for path in made.not_copied:
        typer.echo(f"warning: {path} is not in the backup", err=True)


def _shown(made: Manifest) -> dict[str, Any]:
    return {
        "madeAt": made.made_at,
        "trunkline": made.trunkline,
        "schema": made.schema,
        "files": made.files,
        "bytes": made.bytes,
        "hasKey": made.has_key,
        "hasRecordings": made.has_recordings,
        "notCopied": made.not_copied,
    }


@contextmanager
def _failures() -> Iterator[None]:
    from trunkline.backups.manifest import BackupUnusable

    try:
        yield
    except BackupUnusable as error:
        raise CommandFailed(str(error)) from error


@contextmanager
def _progress(what: str) -> Iterator[Callable[[float], None]]:
    """A bar on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda done: bar.update(task, completed=done)
