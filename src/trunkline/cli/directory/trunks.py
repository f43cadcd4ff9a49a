"""trunkline trunk: lines to carriers."""

from __future__ import annotations

from typing import Annotated

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
    listed,
)
from trunkline.cli.output import show_one

trunk = group("Trunks: lines to carriers.")


@trunk.command("create")
def create_trunk(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    account: Account,
    host: Annotated[str, typer.Option(metavar="HOST:PORT", help="The carrier's address.")],
    auth_user: Annotated[str | None, typer.Option(metavar="U", help="User at the carrier.")] = None,
    auth_password: Annotated[
        str | None, typer.Option(metavar="P", help="Password at the carrier.")
    ] = None,
    allow_weak_password: WeakPassword = False,
    register: Annotated[bool, typer.Option("--register", help="Register at the carrier.")] = False,
    match: Annotated[
        str, typer.Option(metavar="IP,IP", help="Where its calls come from; the host if not given.")
    ] = "",
    transport: Annotated[str, typer.Option(help="udp, tcp or tls.")] = "udp",
    srtp: Srtp = "off",
    max_calls: MaxCalls = None,
    max_rate: MaxRate = None,
    priority: Annotated[int, typer.Option(min=0, max=1000, help="The lowest is dialled by.")] = 10,
    as_json: Json = False,
) -> None:
    """Add a line to a carrier."""
    from trunkline.directory.rules import SAFE_PASSWORD, is_weak
    from trunkline.work.manage.trunks import accounts_at_the_same_address, create_trunk

    with directory_of(ctx, changes=True) as directory:
        entry = create_trunk(
            directory,
            find_account(directory, account),
            name,
            host,
            transport=transport,
            auth_user=auth_user,
            auth_password=auth_password,
            register=register,
            match=listed(match),
            priority=priority,
            srtp=srtp,
            max_calls=max_calls,
            max_rate=max_rate,
        )
        shared = accounts_at_the_same_address(directory, entry)
    if transport == "tls" and not settings_of(ctx).sip_tls:
        typer.echo(
            "warning: sip_tls is not set, and without it the engine speaks no TLS: this trunk is down until "
            "sip_tls, sip_tls_cert and sip_tls_key are set and the server is started again",
            err=True,
        )
    if auth_password is not None and is_weak(auth_password) and not allow_weak_password:
        typer.echo(
            f"warning: whoever guesses this password calls at your cost: ask the carrier for one of {SAFE_PASSWORD} "
            "characters or more (--allow-weak-password says that you know)",
            err=True,
        )
    if shared:
        typer.echo(
            f"warning: a trunk of {', '.join(shared)} takes calls from the same address: a call that "
            "comes in from there is taken for one of the two, whatever its number. Calls out are not "
            "affected; for calls in, give each account a carrier address of its own (--match)",
            err=True,
        )
    show_one(shown(entry), as_json)


@trunk.command("set")
def set_trunk(
    ctx: typer.Context,
    name: Named,
    account: AccountIf = None,
    max_calls: MaxCalls = None,
    max_rate: MaxRate = None,
    as_json: Json = False,
) -> None:
    """Change a trunk; what is not named stays. Live calls stay as they are."""
    from trunkline.directory.entries import TrunkEntry
    from trunkline.work.manage import entries
    from trunkline.work.manage.trunks import set_trunk

    with directory_of(ctx, changes=True) as directory:
        found = entries.find(directory, TrunkEntry, name, account_id_of(directory, account))
        entry = set_trunk(directory, found, max_calls=max_calls, max_rate=max_rate)
    show_one(shown(entry), as_json)


add_entry_commands(trunk, "trunk")
