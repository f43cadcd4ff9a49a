"""trunkline events trigger: sample events."""

from __future__ import annotations

from typing import Annotated

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.event_log.opening import JsonLines
from trunkline.cli.failure import CommandFailed
from trunkline.cli.opening import account_called, archive
from trunkline.cli.running_server import ask_for_sample


def trigger(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="Which sample, such as CALL_ENDED; `call` is a whole call."
        ),
    ] = None,
    account: Annotated[
        str | None, typer.Option(metavar="NAME", help="The account: its name or its id.")
    ] = None,
    call: Annotated[
        str | None,
        typer.Option(metavar="CALL_ID", help="The sample's call, test-…; a new one if not given."),
    ] = None,
    list_names: Annotated[
        bool, typer.Option("--list", help="List the samples there are, and do nothing.")
    ] = False,
    as_json: JsonLines = False,
) -> None:
    """Put a sample event into an account's log, and print it.

    It goes all the ways that a real one goes: sockets, streams, webhooks. Its payload is whole, with
    `"Test": true` in it, and its call id begins with test-. It is an event only: no call is made, and
    history and recordings know nothing of it. The server has to run.

    Examples: `trunkline events trigger call --account acme` and
    `trunkline events trigger RECORDING_READY --account acme --call test-1`
    """
    from trunkline.events.samples import NAMES

    if list_names:
        typer.echo("\n".join(NAMES))
        return
    if name is None or account is None:
        raise CommandFailed("name a sample and its account: see trunkline events trigger --list")
    if name not in NAMES:
        raise CommandFailed(f"there is no sample {name!r}: see trunkline events trigger --list")
    _trigger(ctx, name, account, call, as_json)


def _trigger(ctx: typer.Context, name: str, account: str, call: str | None, as_json: bool) -> None:
    from trunkline.cli.event_log.event_lines import printer
    from trunkline.cli.event_log.event_view import from_envelope
    from trunkline.events.samples import MARK

    if call is not None and not call.startswith(MARK):
        raise CommandFailed(f"--call {call!r} could be a real call: name it {MARK}{call}")
    with archive(ctx) as opened:
        owner = account_called(opened, account)
    show = printer(as_json)
    for raw in ask_for_sample(settings_of(ctx).directory, owner.id, name, call):
        show(from_envelope(raw), owner.timezone)
