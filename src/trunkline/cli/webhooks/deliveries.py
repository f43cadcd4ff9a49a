"""trunkline webhooks deliveries and replay: what webhooks were sent, and sending it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trunkline.calls.words import DeliveryStatus
from trunkline.cli.directory.manage import Json
from trunkline.cli.failure import CommandFailed
from trunkline.cli.showing import show_all, show_one
from trunkline.cli.webhooks.endpoints import Desk, Which, shown_attempt, shown_delivery, work_on

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

    async def attempts(desk: Desk) -> list[Attempt]:
        found = await desk.manage.delivery(await desk.find(which), attempts_of or 0)
        return await desk.db.deliveries.attempts(found.id)

    async def work(desk: Desk) -> list[Delivery]:
        wanted = DeliveryFilter(
            state=state,
            call_id=call,
            seq_from=first,
            seq_to=_NEWEST if last is None else last,
        )
        return await desk.db.deliveries.deliveries(
            (await desk.find(which)).id, wanted, _NEWEST, limit
        )

    if attempts_of is not None:
        show_all([shown_attempt(each) for each in work_on(ctx, attempts)], as_json)
    else:
        show_all([shown_delivery(each) for each in work_on(ctx, work)], as_json)


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
    from trunkline.work.manage.manage_webhooks import ReplayRange

    if (delivery is None) == (first is None and since is None):
        raise CommandFailed("say what to send again: --delivery ID, --from N or --since TIME")

    async def work(desk: Desk) -> int:
        found = await desk.find(which)
        if delivery is None:
            zone = await desk.db.directory.timezone(found.account_id)
            at = None if since is None else _time(since, zone)
            span = ReplayRange(first=first, since=at, last=last)
            return await desk.manage.replay(found, span)
        await desk.manage.replay_one(found, delivery)
        return 1

    show_one({"queued": work_on(ctx, work, changes=True)}, as_json)


def _time(text: str, zone: str) -> int:
    """Unix microseconds."""
    from trunkline.history.dates import DateInvalid, moment

    try:
        return moment(text, zone).at
    except DateInvalid as error:
        raise CommandFailed(
            f"{text!r} is no time: take one such as 2026-11-23T15:00:00Z"
        ) from error
