"""trunkline extension, announcement, route: where calls go, inside and out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.context import data_directory, settings_of
from trunkline.cli.directory.manage import (
    Account,
    AccountIf,
    Json,
    Named,
    add_common,
    directory_of,
    find_account,
    group,
    lead_elsewhere,
    shown,
)
from trunkline.cli.failure import CommandFailed
from trunkline.cli.showing import show_all, show_one

if TYPE_CHECKING:
    from trunkline.store.directory import AnnouncementEntry

extension = group("Extensions: numbers inside an account.")
announcement = group("Announcements: what callers are told.")
route = group(
    "Outbound routes: by which trunk numbers go out; without any, by the account's first."
)


@extension.command("create")
def create_extension(
    ctx: typer.Context,
    number: Annotated[str, typer.Argument(metavar="N")],
    account: Account,
    to: Annotated[str, typer.Option(metavar="KIND:NAME", help="Where its calls go.")],
    as_json: Json = False,
) -> None:
    """Add an extension; it leads to user:USERNAME, outside:NUMBER, hangup:CAUSE or announcement:NAME."""
    from trunkline.work.manage import manage_directory as manage
    from trunkline.work.manage.manage_destinations import destination

    with directory_of(ctx, changes=True) as directory:
        owner = find_account(directory, account)
        entry = manage.create_extension(directory, owner, number, destination(directory, owner, to))
    show_one(shown(entry), as_json)


@extension.command("set")
def set_extension(
    ctx: typer.Context,
    number: Annotated[str, typer.Argument(metavar="N", help="The extension or its id.")],
    account: Account,
    to: Annotated[str, typer.Option(metavar="KIND:NAME", help="Where its calls go from now on.")],
    as_json: Json = False,
) -> None:
    """Lead an extension elsewhere: to user:USERNAME, outside:NUMBER, hangup:CAUSE or announcement:NAME."""
    show_one(shown(lead_elsewhere(ctx, "extension", number, account, to)), as_json)


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
        account_id = find_account(directory, account).account_id if account else None
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
        account_id = find_account(directory, account).account_id if account else None
        entry = find(directory, AnnouncementEntry, name, account_id)
        delete(directory, entry)
    prompts.remove(_folder(ctx), entry.file)
    show_one({**_told(entry), "deleted": True}, as_json)


@route.command("create")
def create_route(
    ctx: typer.Context,
    account: Account,
    trunk: Annotated[str, typer.Option(metavar="NAME", help="The trunk that it goes by.")],
    prefix: Annotated[
        str, typer.Option(metavar="P", help="Which numbers; all if not given. The longest counts.")
    ] = "",
    order: Annotated[
        int, typer.Option(min=0, max=1000, help="The lowest of one prefix counts.")
    ] = 10,
    strip: Annotated[
        int, typer.Option(min=0, max=15, help="How many characters are taken off the front.")
    ] = 0,
    prepend: Annotated[str, typer.Option(metavar="P", help="What is put before the rest.")] = "",
    as_json: Json = False,
) -> None:
    """Add an outbound route. Once an account has one, it dials by its routes alone."""
    from trunkline.store.directory import TrunkEntry
    from trunkline.work.manage import manage_destinations as destinations
    from trunkline.work.manage.manage_directory import find

    with directory_of(ctx, changes=True) as directory:
        owner = find_account(directory, account)
        entry = destinations.create_route(
            directory,
            owner,
            find(directory, TrunkEntry, trunk, owner.account_id),
            prefix=prefix,
            order=order,
            strip=strip,
            prepend=prepend,
        )
    show_one(shown(entry), as_json)


def _folder(ctx: typer.Context) -> Path:
    return data_directory(settings_of(ctx)) / "prompts"


def _told(entry: AnnouncementEntry) -> dict[str, Any]:
    keys = shown(entry)
    del keys["file"]
    return keys


add_common(extension, "extension", switched=False)
add_common(route, "route", switched=False)
