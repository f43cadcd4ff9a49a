"""trunkline number: what is called from outside."""

from __future__ import annotations

from typing import Annotated

import typer

from trunkline.cli.directory.entries import add_entry_commands, lead_elsewhere, shown
from trunkline.cli.directory.transaction import directory_of, find_account
from trunkline.cli.options import Account, Json, group
from trunkline.cli.output import show_one

number = group("Numbers: what is called from outside.")


@number.command("create")
def create_number(
    ctx: typer.Context,
    did: Annotated[str, typer.Argument(metavar="DID")],
    account: Account,
    to: Annotated[str, typer.Option(metavar="KIND:NAME", help="Where its calls go.")],
    as_json: Json = False,
) -> None:
    """Add an inbound number; it leads to user:USERNAME, outside:NUMBER, hangup:CAUSE or announcement:NAME."""
    from trunkline.work.manage import manage_directory as manage
    from trunkline.work.manage.manage_destinations import destination

    with directory_of(ctx, changes=True) as directory:
        owner = find_account(directory, account)
        entry = manage.create_number(directory, owner, did, destination(directory, owner, to))
    show_one(shown(entry), as_json)


@number.command("set")
def set_number(
    ctx: typer.Context,
    did: Annotated[str, typer.Argument(metavar="DID", help="The number or its id.")],
    account: Account,
    to: Annotated[str, typer.Option(metavar="KIND:NAME", help="Where its calls go from now on.")],
    as_json: Json = False,
) -> None:
    """Lead a number elsewhere: to user:USERNAME, outside:NUMBER, hangup:CAUSE or announcement:NAME."""
    show_one(shown(lead_elsewhere(ctx, "number", did, account, to)), as_json)


add_entry_commands(number, "number")
