"""trunkline events replay: a stretch of the event log again."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from trunkline.cli.event_log.opening import Bindings, JsonLines, Key, Server, event_log, server_log
from trunkline.cli.failure import CommandFailed
from trunkline.cli.opening import account_called, archive
from trunkline.cli.output import show_one


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
        for view, timezone in log.stretch(first, last, bindings, call):
            show(view, timezone)


def _send_again(
    ctx: typer.Context, account: str | None, webhook: str, first: int, last: int | None
) -> int:
    """How many events the server of the data directory sends to the webhook again."""
    from trunkline.cli.webhooks.opening import OpenWebhooks, with_webhooks
    from trunkline.work.manage.manage_webhooks import ReplayRange

    with archive(ctx) as opened:
        account_id = account_called(opened, account).id if account else None

    async def work(webhooks: OpenWebhooks) -> int:
        found = await webhooks.find(webhook)
        if account_id not in (None, found.account_id):
            raise CommandFailed(f"webhook {webhook!r} is of another account: leave --account out")
        return await webhooks.manage.replay(found, ReplayRange(first=first, last=last))

    return with_webhooks(ctx, work, changes=True)
