"""trunkline backup: all that cannot be made again, in a folder or a tar."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.failure import CommandFailed
from trunkline.cli.options import Json
from trunkline.cli.output import show_one
from trunkline.cli.progress import bar

if TYPE_CHECKING:
    from trunkline.backups.manifest import Manifest
    from trunkline.backups.writing import Contents


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

    with bar("copying the database", 1.0) as progress:
        contents = _contents(ctx, progress, not without_key, not without_recordings)
        if to.suffix == ".tar":
            made, where = write_tar(contents, to), to
        else:
            name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            where, made = write_folder(contents, to, name)
    _warn(made)
    show_one({"backup": str(where), **shown_manifest(made)}, as_json)


def _contents(
    ctx: typer.Context, progress: Callable[[float], None], with_key: bool, with_recordings: bool
) -> Contents:
    from trunkline import __version__
    from trunkline.backups.manifest import DATABASE, DUMP, KEY, PURPOSE
    from trunkline.backups.writing import Contents
    from trunkline.calls.times import rfc3339
    from trunkline.store.location import exists
    from trunkline.store.opening import copier
    from trunkline.store.secrets import open_key

    settings = settings_of(ctx)
    data, place = settings.directory, settings.place
    if not exists(place) or not (data / KEY).exists():
        raise CommandFailed(f"there is nothing to back up in {data}: name another with --data")
    others = (settings.sip_tls_cert, settings.sip_tls_key, settings.sip_tls_ca)
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


def shown_manifest(made: Manifest) -> dict[str, Any]:
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
