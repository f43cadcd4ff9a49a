"""trunkline device: SIP phones."""

from __future__ import annotations

from typing import Annotated

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.directory.entries import add_entry_commands, shown
from trunkline.cli.directory.transaction import directory_of, find_account
from trunkline.cli.options import Account, Json, group
from trunkline.cli.output import show_one

_AS_LONG_AS_A_NUMBER = 7

device = group("Devices: SIP phones.")


@device.command("create")
def create_device(
    ctx: typer.Context,
    account: Account,
    user: Annotated[str, typer.Option(metavar="USERNAME", help="Whose it is.")],
    sip_user: Annotated[str, typer.Option(metavar="S", help="Its SIP user name.")],
    sip_password: Annotated[
        str | None, typer.Option(metavar="P", help="Its SIP password; made if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add a SIP phone, and show its password: this once."""
    from trunkline.store.directory import UserEntry
    from trunkline.work.manage import manage_directory as manage

    with directory_of(ctx, changes=True) as directory:
        owner = find_account(directory, account)
        entry, password = manage.create_device(
            directory,
            owner,
            manage.find(directory, UserEntry, user, owner.account_id),
            sip_user,
            realm=settings_of(ctx).sip_realm,
            password=sip_password,
        )
    if len(sip_user) >= _AS_LONG_AS_A_NUMBER and sip_user.isdigit():
        typer.echo(
            f"warning: {sip_user} looks like a telephone number: a call from outside whose caller has "
            "that number would be asked for this device's password. A name with a letter in it is safe",
            err=True,
        )
    show_one(shown(entry, sipPassword=password), as_json)


add_entry_commands(device, "device")
