"""trunkline restore: a backup into a new data directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.database.backup import shown_manifest
from trunkline.cli.failure import CommandFailed
from trunkline.cli.options import Json
from trunkline.cli.output import show_one


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
    show_one({"data": str(directory), **shown_manifest(made)}, as_json)


def _check(folder: Path, url: str) -> bytes | None:
    """Check the database, and the key if there is one; returns what the manifest is signed with."""
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
    """Load a dump into its new database, and name that in the settings."""
    from trunkline.backups.manifest import DUMP, SETTINGS
    from trunkline.server.settings_file import write_setting

    if not (folder / DUMP).exists():
        return
    from trunkline.store.postgres.dumping import load

    write_setting(folder / SETTINGS, "database", url)
    load(url, folder / DUMP)
    (folder / DUMP).unlink()
