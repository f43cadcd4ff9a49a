"""trunkline app: the credentials of applications."""

from __future__ import annotations

from typing import Annotated

import typer

from trunkline.cli.directory.entries import add_entry_commands, shown
from trunkline.cli.directory.transaction import directory_of, find_account
from trunkline.cli.options import Account, Json, group, listed
from trunkline.cli.output import show_one

app = group("Apps: the credentials with which an application uses the Open API.")


@app.command("create")
def create_app(
    ctx: typer.Context,
    account: Account,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    addresses: Annotated[
        str,
        typer.Option(
            "--from", metavar="IP,IP", help="Where it may ask from; anywhere if not given."
        ),
    ] = "",
    signed_only: Annotated[
        bool, typer.Option("--signed-only", help="Refuse the API list's plain hashes.")
    ] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="It may not place calls.")] = False,
    as_json: Json = False,
) -> None:
    """Add an app, and show its secret: this once."""
    from trunkline.work.manage import manage_directory as manage

    with directory_of(ctx, changes=True) as directory:
        entry, secret = manage.create_app(
            directory,
            find_account(directory, account),
            name,
            allowed_addresses=listed(addresses),
            legacy_hashes=not signed_only,
            read_only=read_only,
        )
    show_one(shown(entry, appSecret=secret), as_json)


add_entry_commands(app, "app")
