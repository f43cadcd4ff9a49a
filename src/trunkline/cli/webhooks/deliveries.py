"""trunkline webhooks deliveries: what a webhook was sent, or is going to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trunkline.calls.words import DeliveryStatus
from trunkline.cli.options import Json
from trunkline.cli.output import show_all
from trunkline.cli.webhooks.opening import OpenWebhooks, Which, with_webhooks
from trunkline.cli.webhooks.shown import shown_attempt, shown_delivery

if TYPE_CHECKING:
    from trunkline.delivery.webhook import Attempt, Delivery

_NEWEST = 1 << 62


def deliveries(
    ctx: typer.Context,
    which: Which,
    state: Annotated[
        DeliveryStatus | None, typer.Option(help="Only such: pending, delivered or failed.")
    ] = None,
    call: Annotated[
        str | None, typer.Option(metavar="CALL_ID", help="Only events of this call.")
    ] = None,
    first: Annotated[
        int, typer.Option("--from", metavar="N", min=0, help="Only events from number N on.")
    ] = 0,
    last: Annotated[
        int | None, typer.Option("--to", metavar="N", min=0, help="Only events up to number N.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many.")] = 20,
    attempts_of: Annotated[
        int | None,
        typer.Option("--attempts", metavar="ID", help="Show the attempts at one delivery instead."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List what it was sent, or is going to be, newest first."""
    from trunkline.store.ports.webhooks import DeliveryFilter

    async def attempts(webhooks: OpenWebhooks) -> list[Attempt]:
        found = await webhooks.manage.delivery(await webhooks.find(which), attempts_of or 0)
        return await webhooks.db.deliveries.attempts(found.id)

    async def work(webhooks: OpenWebhooks) -> list[Delivery]:
        wanted = DeliveryFilter(
            state=state,
            call_id=call,
            seq_from=first,
            seq_to=_NEWEST if last is None else last,
        )
        return await webhooks.db.deliveries.deliveries(
            (await webhooks.find(which)).id, wanted, _NEWEST, limit
        )

    if attempts_of is not None:
        show_all([shown_attempt(each) for each in with_webhooks(ctx, attempts)], as_json)
    else:
        show_all([shown_delivery(each) for each in with_webhooks(ctx, work)], as_json)
