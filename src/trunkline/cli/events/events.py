"""trunkline events: the numbered event log, live, again, and with samples in it."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from trunkline.cli.event_log.opening import Bindings, Key, Server, event_log, server_log
from trunkline.cli.failure import CommandFailed
from trunkline.cli.output import show_one

AccountIf = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="One account only: its name or its id. All if not given."),
]
JsonLines = Annotated[
    bool, typer.Option("--json", help="Print each event as one line of JSON: its /v1 envelope.")
]

app = typer.Typer(
    help="Events: follow them, see them again, and trigger samples.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def tail(
    ctx: typer.Context,
    account: AccountIf = None,
    types: Bindings = "",
    after: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="First print what followed event N; needs --account or --server.",
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="End with the newest event instead of waiting.")
    ] = False,
    server: Server = None,
    key: Key = None,
    as_json: JsonLines = False,
) -> None:
    """Print events as they come, until Ctrl-C.

    They are read from each account's numbered log, so none is missed or repeated, also while the
    server is started again or the connection to it breaks. The `seq` of the last one is the N to go
    on from.

    Examples: `trunkline events tail --types call.CALL_ENDED.* --json` and
    `trunkline events tail --server https://phone.example.com --after 41`
    """
    from trunkline.cli.event_log.event_lines import printer
    from trunkline.cli.event_log.event_view import bindings_in

    bindings = bindings_in(types)
    show = printer(as_json)
    with contextlib.suppress(KeyboardInterrupt), event_log(ctx, account, server, key) as log:
        for seen, timezone in log.tail(after, once, bindings):
            show(seen, timezone)


@app.command()
def replay(
    ctx: typer.Context,
    first: Annotated[int, typer.Option("--from", metavar="N", min=1, help="The first number.")],
    account: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The account: its name or its id; not with --server."),
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(
            "--to", metavar="N", min=1, help="The last number; the newest of now if not given."
        ),
    ] = None,
    types: Bindings = "",
    call: Annotated[
        str | None, typer.Option(metavar="CALL_ID", help="Only the events of this call.")
    ] = None,
    to_webhook: Annotated[
        str | None,
        typer.Option(
            metavar="WEBHOOK",
            help="Print nothing: have the server send the stretch to this webhook once more, as far as its own filters match. With --server, its whole id, and a key with the scope webhooks:write.",
        ),
    ] = None,
    server: Server = None,
    key: Key = None,
    as_json: JsonLines = False,
) -> None:
    """Print a stretch of an account's event log again, or send it to a webhook again.

    Where numbers are not kept any more, a GAP says which.

    Examples: `trunkline events replay --account acme --from 1200 --to 1250` and
    `trunkline events replay --account acme --from 1 --types device.# --json`
    """
    from trunkline.cli.event_log.event_lines import printer
    from trunkline.cli.event_log.event_view import bindings_in

    if last is not None and last < first:
        raise CommandFailed("--to is before --from: swap them")
    if to_webhook is not None:
        if types or call:
            raise CommandFailed(
                "--to-webhook goes by the webhook's own filters: leave the others out"
            )
        if server:
            with server_log(account, server, key) as remote:
                queued = remote.send_again(to_webhook, first, last)
        else:
            queued = _send_again(ctx, account, to_webhook, first, last)
        show_one({"queued": queued}, as_json)
        return
    bindings = bindings_in(types)
    show = printer(as_json)
    with (
        contextlib.suppress(KeyboardInterrupt),
        event_log(ctx, account, server, key, of_one=True) as log,
    ):
        for seen, timezone in log.stretch(first, last, bindings, call):
            show(seen, timezone)


@app.command()
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


def _send_again(
    ctx: typer.Context, account: str | None, webhook: str, first: int, last: int | None
) -> int:
    """How many events the server of the data directory sends to the webhook again."""
    from trunkline.cli.opening import account_called, archive
    from trunkline.cli.webhooks.endpoints import Desk, work_on
    from trunkline.work.manage.manage_webhooks import ReplayRange

    with archive(ctx) as opened:
        account_id = account_called(opened, account).id if account else None

    async def work(desk: Desk) -> int:
        found = await desk.find(webhook)
        if account_id not in (None, found.account_id):
            raise CommandFailed(f"webhook {webhook!r} is of another account: leave --account out")
        return await desk.manage.replay(found, ReplayRange(first=first, last=last))

    return work_on(ctx, work, changes=True)


def _trigger(ctx: typer.Context, name: str, account: str, call: str | None, as_json: bool) -> None:
    from trunkline.cli.context import settings_of
    from trunkline.cli.event_log.event_lines import printer
    from trunkline.cli.event_log.event_view import from_envelope
    from trunkline.cli.opening import account_called, archive
    from trunkline.cli.running_server import ask_for_sample
    from trunkline.events.samples import MARK

    if call is not None and not call.startswith(MARK):
        raise CommandFailed(f"--call {call!r} could be a real call: name it {MARK}{call}")
    with archive(ctx) as opened:
        owner = account_called(opened, account)
    show = printer(as_json)
    for raw in ask_for_sample(settings_of(ctx).directory, owner.id, name, call):
        show(from_envelope(raw), owner.timezone)
