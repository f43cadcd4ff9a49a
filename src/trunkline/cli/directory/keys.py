"""trunkline key: the keys of /v1, by hand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.directory.transaction import account_id_of, directory_of, find_account
from trunkline.cli.options import Account, AccountIf, Json, group, listed
from trunkline.cli.output import show_all, show_one

if TYPE_CHECKING:
    from trunkline.directory.entries import KeyEntry

key = group("Keys: what programs use /v1 with.")


@key.command("create")
def create_key(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    account: Account,
    scopes: Annotated[
        str, typer.Option(metavar="S,S", help="What it may do, such as events:read,webhooks:write.")
    ],
    expires: Annotated[
        str | None, typer.Option(metavar="90d", help="Its life in h, d or w; no end if not given.")
    ] = None,
    addresses: Annotated[
        str,
        typer.Option(
            "--from", metavar="IP,IP", help="Where it may be used from; anywhere if not given."
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Add a key of /v1, and show it: this once."""
    from trunkline.work.manage import keys as manage

    with directory_of(ctx) as directory:
        ends = None if expires is None else time.time_ns() // 1000 + manage.lifetime(expires)
        entry, made = manage.create_key(
            directory,
            find_account(directory, account),
            name,
            listed(scopes),
            expires_at=ends,
            allowed_addresses=listed(addresses),
        )
    show_one({"key": made, **_shown(entry)}, as_json)


@key.command("list")
def list_keys(ctx: typer.Context, account: AccountIf = None, as_json: Json = False) -> None:
    """List keys, also those that are good no more; never the keys themselves."""
    from trunkline.directory.entries import KeyEntry

    with directory_of(ctx) as directory:
        account_id = account_id_of(directory, account)
        entries = directory.all(KeyEntry, account_id)
    show_all([_shown(entry) for entry in entries], as_json)


@key.command("revoke")
def revoke_key(
    ctx: typer.Context,
    wanted: Annotated[str, typer.Argument(metavar="KEY", help="Its name, prefix or id.")],
    account: AccountIf = None,
    as_json: Json = False,
) -> None:
    """End a key for good; its next request is refused."""
    from trunkline.work.manage import keys as manage

    with directory_of(ctx) as directory:
        account_id = account_id_of(directory, account)
        entry = manage.revoke_key(directory, wanted, account_id)
    show_one(_shown(entry), as_json)


def _shown(entry: KeyEntry) -> dict[str, Any]:
    """The entry's keys, times as RFC 3339."""
    import msgspec

    from trunkline.calls.times import rfc3339_or_none

    shown = msgspec.to_builtins(entry)
    times = {
        name: rfc3339_or_none(shown[name]) for name in ("createdAt", "expiresAt", "lastUsedAt")
    }
    revoked = not shown.pop("enabled")
    return {**shown, **times, "revoked": revoked}
