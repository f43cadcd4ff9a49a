"""trunkline device: SIP phones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.directory.entries import add_entry_commands, shown
from trunkline.cli.directory.transaction import account_id_of, directory_of, find_account
from trunkline.cli.options import (
    Account,
    AccountIf,
    Json,
    MaxCalls,
    MaxRate,
    Named,
    Srtp,
    WeakPassword,
    group,
)
from trunkline.cli.output import show_one

if TYPE_CHECKING:
    from trunkline.directory.entries import DeviceEntry

_AS_LONG_AS_A_NUMBER = 7

device = group("Devices: SIP phones.")


@device.command("create")
def create_device(
    ctx: typer.Context,
    account: Account,
    user: Annotated[str, typer.Option(metavar="USERNAME", help="Whose it is.")],
    sip_user: Annotated[str, typer.Option(metavar="S", help="Its SIP user name.")],
    sip_password: Annotated[
        str | None,
        typer.Option(
            metavar="P", help="Its SIP password, of 12 characters or more; made if not given."
        ),
    ] = None,
    allow_weak_password: WeakPassword = False,
    srtp: Srtp = "off",
    max_calls: MaxCalls = None,
    max_rate: MaxRate = None,
    as_json: Json = False,
) -> None:
    """Add a SIP phone, and show its password: this once."""
    from trunkline.directory.entries import UserEntry
    from trunkline.work.manage import entries
    from trunkline.work.manage.devices import create_device

    with directory_of(ctx, changes=True) as directory:
        owner = find_account(directory, account)
        entry, password = create_device(
            directory,
            owner,
            entries.find(directory, UserEntry, user, owner.account_id),
            sip_user,
            realm=settings_of(ctx).sip_realm,
            password=sip_password,
            allow_weak_password=allow_weak_password,
            srtp=srtp,
            max_calls=max_calls,
            max_rate=max_rate,
        )
    if len(sip_user) >= _AS_LONG_AS_A_NUMBER and sip_user.isdigit():
        typer.echo(
            f"warning: {sip_user} looks like a telephone number: a call from outside whose caller has "
            "that number would be asked for this device's password. A name with a letter in it is safe",
            err=True,
        )
    _warn_without_tls(ctx, entry)
    show_one(shown(entry, sipPassword=password), as_json)


@device.command("set")
def set_device(
    ctx: typer.Context,
    name: Named,
    account: AccountIf = None,
    srtp: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            help="Encrypted sound (SRTP), over TLS only: off, optional or required.",
        ),
    ] = None,
    max_calls: MaxCalls = None,
    max_rate: MaxRate = None,
    as_json: Json = False,
) -> None:
    """Change a device; what is not named stays. Live calls stay as they are."""
    from trunkline.directory.entries import DeviceEntry
    from trunkline.work.manage import entries
    from trunkline.work.manage.devices import set_device

    with directory_of(ctx, changes=True) as directory:
        found = entries.find(directory, DeviceEntry, name, account_id_of(directory, account))
        entry = set_device(directory, found, srtp=srtp, max_calls=max_calls, max_rate=max_rate)
    _warn_without_tls(ctx, entry)
    show_one(shown(entry), as_json)


def _warn_without_tls(ctx: typer.Context, entry: DeviceEntry) -> None:
    if entry.srtp == "off" or settings_of(ctx).sip_tls:
        return
    typer.echo(
        "warning: phones cannot register over TLS, since sip_tls is not set, and SRTP is used over TLS only: "
        + (
            "this device can make and take no calls"
            if entry.srtp == "required"
            else "this device has none"
        ),
        err=True,
    )


add_entry_commands(device, "device")
