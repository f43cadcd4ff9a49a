"""trunkline account: companies, how long their things are kept, and that they must be."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from trunkline.cli.directory.entries import add_entry_commands, shown
from trunkline.cli.directory.transaction import directory_of, find_account
from trunkline.cli.failure import CommandFailed
from trunkline.cli.options import Json, MaxCalls, MaxRate, Named, group, listed
from trunkline.cli.output import show_one

account = group("Accounts: each has its own users, phones, numbers and history.")

_DAYS = "DAYS|forever|default"
_FORMAT = "mp3|wav|opus"

Country = Annotated[
    str | None,
    typer.Option(
        metavar="CC", help="Where it is (ISO 3166, two letters): whose emergency numbers it has."
    ),
]
EmergencyNumbers = Annotated[
    str | None,
    typer.Option(metavar="N,N", help="Emergency numbers beside those of its country, and 112."),
]
RecordingFormat = Annotated[str, typer.Option(metavar=_FORMAT, help="What recordings are.")]


@account.command("create")
def create_account(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    timezone: Annotated[str, typer.Option(metavar="TZ", help="IANA time zone.")] = "UTC",
    caller_id: Annotated[
        str | None, typer.Option(metavar="N", help="Shown to outside parties.")
    ] = None,
    allow: Annotated[
        str, typer.Option(metavar="P,P", help="Prefixes that may be dialled; all if not given.")
    ] = "",
    deny: Annotated[
        str,
        typer.Option(
            metavar="P,P", help="Prefixes that may not be dialled; one without + also after a +."
        ),
    ] = "",
    no_record: Annotated[bool, typer.Option("--no-record", help="Do not record calls.")] = False,
    recording_format: RecordingFormat = "mp3",
    max_calls: MaxCalls = None,
    max_rate: MaxRate = None,
    country: Country = None,
    emergency_numbers: EmergencyNumbers = None,
    as_json: Json = False,
) -> None:
    """Add an account."""
    from trunkline.work.manage.accounts import create_account

    with directory_of(ctx, changes=True) as directory:
        entry = create_account(
            directory,
            name,
            timezone=timezone,
            caller_id=caller_id,
            allow=listed(allow),
            deny=listed(deny),
            record=not no_record,
            recording_format=recording_format,
            max_calls=max_calls,
            max_rate=max_rate,
            country=country,
            emergency=listed(emergency_numbers or ""),
        )
    show_one(shown(entry), as_json)


@account.command("set")
def set_account(
    ctx: typer.Context,
    name: Named,
    recording_format: Annotated[
        str | None, typer.Option(metavar=_FORMAT, help="Of recordings from the next call on.")
    ] = None,
    max_calls: MaxCalls = None,
    max_rate: MaxRate = None,
    country: Country = None,
    emergency_numbers: EmergencyNumbers = None,
    as_json: Json = False,
) -> None:
    """Change an account; what is not named stays."""
    from trunkline.work.manage.accounts import set_account

    with directory_of(ctx, changes=True) as directory:
        entry = set_account(
            directory,
            find_account(directory, name),
            recording_format=recording_format,
            max_calls=max_calls,
            max_rate=max_rate,
            country=country,
            emergency=None if emergency_numbers is None else listed(emergency_numbers),
        )
    show_one(shown(entry), as_json)


add_entry_commands(account, "account")


@account.command()
def keep(
    ctx: typer.Context,
    name: Named,
    calls: Annotated[
        str | None,
        typer.Option(metavar=_DAYS, help="Calls, with all that belongs to them."),
    ] = None,
    events: Annotated[
        str | None, typer.Option(metavar=_DAYS, help="Events, and what webhooks had of them.")
    ] = None,
    recordings: Annotated[
        str | None,
        typer.Option(metavar=_DAYS, help="Recordings; they go with their calls in any case."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Set for how many days the account's things are kept; what is not named stays.

    `default` is what the settings say (call_days, event_days, recording_days). A running server
    deletes what is too old within the hour, trunkline retention run at once.
    """
    from trunkline.work.manage import retention as account_retention

    given = {"calls": calls, "events": events, "recordings": recordings}
    wanted = {kind: text for kind, text in given.items() if text is not None}
    with directory_of(ctx) as directory:
        entry = account_retention.keep(directory, find_account(directory, name), wanted)
    show_one(shown(entry), as_json)


@account.command()
def hold(
    ctx: typer.Context,
    name: Named,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why: a file number, who asked for it.")
    ] = None,
    release: Annotated[bool, typer.Option("--release", help="End the hold.")] = False,
    as_json: Json = False,
) -> None:
    """Put an account on legal hold: from now on nothing of it is deleted, however old."""
    from trunkline.work.manage import retention as account_retention

    if release and reason is not None:
        raise CommandFailed("--release ends the hold: leave --reason out")
    with directory_of(ctx) as directory:
        found = find_account(directory, name)
        if release:
            entry = account_retention.release(directory, found)
        else:
            entry = account_retention.hold(directory, found, reason or "", time.time_ns() // 1000)
    show_one(shown(entry), as_json)
