"""trunkline user: people, and where their calls go on."""

from __future__ import annotations

from typing import Annotated

import typer

from trunkline.cli.directory.entries import add_entry_commands, shown
from trunkline.cli.directory.transaction import directory_of, find_account
from trunkline.cli.options import Account, Json, group
from trunkline.cli.output import show_one

user = group("Users: people with an extension and phones.")


@user.command("create")
def create_user(
    ctx: typer.Context,
    username: Annotated[str, typer.Argument(metavar="USERNAME")],
    account: Account,
    name: Annotated[str, typer.Option(metavar="TEXT", help="Their name, for people.")] = "",
    extension: Annotated[str | None, typer.Option(metavar="N", help="Their number inside.")] = None,
    caller_id: Annotated[
        str | None, typer.Option(metavar="N", help="Shown to outside parties.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add a user."""
    from trunkline.work.manage import manage_directory as manage

    with directory_of(ctx, changes=True) as directory:
        entry = manage.create_user(
            directory,
            find_account(directory, account),
            username,
            name=name,
            extension=extension,
            caller_id=caller_id,
        )
    show_one(shown(entry), as_json)


@user.command("set")
def set_user(
    ctx: typer.Context,
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="The name or the id.")],
    account: Account,
    busy: Annotated[
        str | None,
        typer.Option(metavar="KIND:NAME", help="Where calls go on when busy; '' to end."),
    ] = None,
    no_answer: Annotated[
        str | None, typer.Option(metavar="KIND:NAME", help="… when nobody answers.")
    ] = None,
    offline: Annotated[
        str | None, typer.Option(metavar="KIND:NAME", help="… when no phone can be reached.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Set where a user's calls go on, as user:USERNAME, outside:NUMBER, hangup:CAUSE or announcement:NAME."""
    from trunkline.store.directory import UserEntry
    from trunkline.work.manage.manage_destinations import lead_on
    from trunkline.work.manage.manage_directory import find

    with directory_of(ctx, changes=True) as directory:
        owner = find_account(directory, account)
        id_ = find(directory, UserEntry, username, owner.account_id).user_id
        for on, to in (("busy", busy), ("no_answer", no_answer), ("offline", offline)):
            lead_on(directory, owner, id_, on, to)
        entry = find(directory, UserEntry, id_)
    show_one(shown(entry), as_json)


add_entry_commands(user, "user")
