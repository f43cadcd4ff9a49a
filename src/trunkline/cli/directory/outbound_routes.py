"""trunkline route: by which trunk numbers go out."""

from __future__ import annotations

from typing import Annotated

import typer

from trunkline.cli.directory.entries import add_entry_commands, shown
from trunkline.cli.directory.transaction import directory_of, find_account
from trunkline.cli.options import Account, Json, group
from trunkline.cli.output import show_one

route = group(
    "Outbound routes: by which trunk numbers go out; without any, by the account's first."
)


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


add_entry_commands(route, "route", switched=False)
