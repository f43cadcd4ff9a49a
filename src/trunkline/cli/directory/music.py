"""trunkline music: what who is held hears."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trunkline.cli.context import data_directory, settings_of
from trunkline.cli.directory.entries import shown
from trunkline.cli.directory.transaction import account_id_of, directory_of, find_account
from trunkline.cli.failure import CommandFailed
from trunkline.cli.options import Account, AccountIf, Json, Named, group
from trunkline.cli.output import show_all, show_one

if TYPE_CHECKING:
    from trunkline.directory.entries import MusicEntry
    from trunkline.store.managed_directory import DirectoryTransaction

music = group("Music: what who is held hears.")


@music.command("create")
def create_music(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    account: Account,
    file: Annotated[
        Path, typer.Option(metavar="F", help="MP3, WAV, FLAC, Ogg, M4A …; up to 15 minutes.")
    ],
    as_json: Json = False,
) -> None:
    """Add music to an account. Whoever its phones and trunks hold hears it from the next hold on."""
    from trunkline.work.manage import music as manage
    from trunkline.work.manage import music_files as files
    from trunkline.work.manage.entries import new_id

    folder = _folder(ctx)
    manage.remove_forgotten(folder, _longest_call(ctx))
    music_id = new_id()
    try:
        with directory_of(ctx) as directory:  # before the work
            manage.refuse_music(directory, find_account(directory, account), name)
        seconds = files.of_file(file, folder / music_id)
        with directory_of(ctx) as directory:
            owner = find_account(directory, account)
            entry = manage.create_music(directory, owner, name, music_id, seconds)
    except files.MusicRefused as error:
        raise CommandFailed(str(error)) from error
    except BaseException:
        manage.forget(folder / music_id)
        raise
    show_one(shown(entry), as_json)


@music.command("use")
def use_music(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name or its id; or default.")],
    account: Account,
    as_json: Json = False,
) -> None:
    """Have other music of the account heard; `default` is what is heard without any of its own."""
    from trunkline.directory.entries import MusicEntry
    from trunkline.work.manage import music as manage

    with directory_of(ctx) as directory:
        owner = find_account(directory, account)
        manage.use_music(directory, owner, name)
        entries = directory.all(MusicEntry, owner.account_id)
    show_all([shown(entry) for entry in entries], as_json)


@music.command("list")
def list_music(ctx: typer.Context, account: AccountIf = None, as_json: Json = False) -> None:
    """List music. Where none is used, the default music is heard."""
    from trunkline.directory.entries import MusicEntry

    with directory_of(ctx) as directory:
        entries = directory.all(MusicEntry, account_id_of(directory, account))
    show_all([shown(entry) for entry in entries], as_json)


@music.command("show")
def show_music(
    ctx: typer.Context, name: Named, account: AccountIf = None, as_json: Json = False
) -> None:
    """Show one piece of music."""
    with directory_of(ctx) as directory:
        entry = _find(directory, name, account)
    show_one(shown(entry), as_json)


@music.command("delete")
def delete_music(
    ctx: typer.Context, name: Named, account: AccountIf = None, as_json: Json = False
) -> None:
    """Delete music. Who hears it now hears it to the end of that hold; then the default music is heard."""
    from trunkline.directory.entries import MusicEntry
    from trunkline.work.manage import music as manage

    with directory_of(ctx) as directory:
        entry = _find(directory, name, account)
        directory.delete(MusicEntry, entry.music_id)
    manage.forget(_folder(ctx) / entry.music_id)
    manage.remove_forgotten(_folder(ctx), _longest_call(ctx))
    show_one({**shown(entry), "deleted": True}, as_json)


def _find(directory: DirectoryTransaction, name: str, account: str | None) -> MusicEntry:
    from trunkline.directory.entries import MusicEntry
    from trunkline.work.manage.entries import find

    return find(directory, MusicEntry, name, account_id_of(directory, account))


def _folder(ctx: typer.Context) -> Path:
    return data_directory(settings_of(ctx)) / "music"


def _longest_call(ctx: typer.Context) -> int:
    return settings_of(ctx).max_call_seconds
