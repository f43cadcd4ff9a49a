"""trunkline announcement: what callers are told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.context import data_directory, settings_of
from trunkline.cli.directory.entries import shown
from trunkline.cli.directory.transaction import account_id_of, directory_of, find_account
from trunkline.cli.failure import CommandFailed
from trunkline.cli.options import Account, AccountIf, Json, Named, group
from trunkline.cli.output import show_all, show_one

if TYPE_CHECKING:
    from trunkline.store.directory import AnnouncementEntry

announcement = group("Announcements: what callers are told.")


@announcement.command("create")
def create_announcement(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    account: Account,
    file: Annotated[
        Path | None, typer.Option(metavar="F", help="A WAV of any common rate and width.")
    ] = None,
    text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What espeak-ng is to say instead.")
    ] = None,
    next_: Annotated[
        str, typer.Option("--next", metavar="KIND:NAME", help="Where calls go on; else they end.")
    ] = "",
    extension: Annotated[str, typer.Option(metavar="N", help="Its number inside.")] = "",
    as_json: Json = False,
) -> None:
    """Add an announcement: a prompt that is said, and where calls go on then."""
    from trunkline.store.directory import AnnouncementEntry
    from trunkline.work.manage import make_prompts as prompts
    from trunkline.work.manage import manage_destinations as destinations
    from trunkline.work.manage import manage_directory as manage

    if (file is None) == (text is None):
        raise CommandFailed("say what is to be told: give either --file or --text")
    folder, prompt = _folder(ctx), manage.new_id()
    try:
        with directory_of(ctx, changes=True) as directory:
            owner = find_account(directory, account)
            source = "upload" if file is not None else "text"
            entry = destinations.create_announcement(
                directory, owner, name, source, text or "", prompt
            )
            destinations.lead_on(directory, owner, entry.announcement_id, "next", next_)
            if extension:
                manage.create_extension(directory, owner, extension, entry.announcement_id)
            if file is not None:
                prompts.of_file(file, folder, prompt)
            else:
                prompts.of_text(text or "", folder, prompt)
            entry = manage.find(directory, AnnouncementEntry, entry.announcement_id)
    except prompts.PromptRefused as error:
        raise CommandFailed(str(error)) from error
    show_one(_told(entry), as_json)


@announcement.command("list")
def list_announcements(
    ctx: typer.Context, account: AccountIf = None, as_json: Json = False
) -> None:
    """List announcements."""
    from trunkline.store.directory import AnnouncementEntry

    with directory_of(ctx) as directory:
        account_id = account_id_of(directory, account)
        entries = directory.all(AnnouncementEntry, account_id)
    show_all([_told(entry) for entry in entries], as_json)


@announcement.command("delete")
def delete_announcement(
    ctx: typer.Context, name: Named, account: AccountIf = None, as_json: Json = False
) -> None:
    """Delete an announcement that nothing leads to."""
    from trunkline.store.directory import AnnouncementEntry
    from trunkline.work.manage import make_prompts as prompts
    from trunkline.work.manage.manage_destinations import delete_announcement as delete
    from trunkline.work.manage.manage_directory import find

    with directory_of(ctx, changes=True) as directory:
        account_id = account_id_of(directory, account)
        entry = find(directory, AnnouncementEntry, name, account_id)
        delete(directory, entry)
    prompts.remove(_folder(ctx), entry.file)
    show_one({**_told(entry), "deleted": True}, as_json)


def _folder(ctx: typer.Context) -> Path:
    return data_directory(settings_of(ctx)) / "prompts"


def _told(entry: AnnouncementEntry) -> dict[str, Any]:
    keys = shown(entry)
    del keys["file"]
    return keys
