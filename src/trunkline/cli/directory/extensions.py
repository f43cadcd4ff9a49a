"""trunkline extension: numbers inside an account."""

from __future__ import annotations

from typing import Annotated

import typer

from trunkline.cli.directory.entries import add_entry_commands, lead_elsewhere, shown
from trunkline.cli.directory.transaction import directory_of, find_account
from trunkline.cli.options import Account, Json, group
from trunkline.cli.output import show_one

extension = group("Extensions: numbers inside an account.")


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


add_entry_commands(extension, "extension", switched=False)
