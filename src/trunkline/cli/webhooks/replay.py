"""trunkline webhooks replay: events sent again."""

from __future__ import annotations

from typing import Annotated

import typer

from trunkline.cli.failure import CommandFailed
from trunkline.cli.options import Json
from trunkline.cli.output import show_one
from trunkline.cli.webhooks.opening import OpenWebhooks, Which, with_webhooks


def replay(
    ctx: typer.Context,
    which: Which,
    delivery: Annotated[
        int | None, typer.Option(metavar="ID", help="One delivery, by its id.")
    ] = None,
    first: Annotated[
        int | None, typer.Option("--from", metavar="N", min=0, help="Events from number N on.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Events since then, such as 2026-11-23T15:00:00Z; without an offset on the account's clock.",
        ),
    ] = None,
    last: Annotated[
        int | None, typer.Option("--to", metavar="N", min=0, help="Up to number N.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Send events again, under the ids that they had: one delivery, or all that its filters match."""
    from trunkline.work.manage.webhooks import ReplayRange

    if (delivery is None) == (first is None and since is None):
        raise CommandFailed("say what to send again: --delivery ID, --from N or --since TIME")

    async def work(webhooks: OpenWebhooks) -> int:
        found = await webhooks.find(which)
        if delivery is None:
            zone = await webhooks.db.directory.timezone(found.account_id)
            at = None if since is None else _time(since, zone)
            span = ReplayRange(first=first, since=at, last=last)
            return await webhooks.manage.replay(found, span)
        await webhooks.manage.replay_one(found, delivery)
        return 1

    show_one({"queued": with_webhooks(ctx, work, changes=True)}, as_json)


def _time(text: str, zone: str) -> int:
    """Unix microseconds."""
    from trunkline.history.dates import DateInvalid, moment

    try:
        return moment(text, zone).at
    except DateInvalid as error:
        raise CommandFailed(
            f"{text!r} is no time: take one such as 2026-11-23T15:00:00Z"
        ) from error
