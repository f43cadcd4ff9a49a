"""trunkline webhooks create, list, show, enable, disable, delete, rotate and test."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from trunkline.cli.directory.transaction import directory_of, find_account
from trunkline.cli.options import Account, AccountIf, Json, group, listed
from trunkline.cli.output import show_all, show_one
from trunkline.cli.webhooks.opening import ALL, OpenWebhooks, Which, now, with_webhooks
from trunkline.cli.webhooks.shown import shown_attempt, shown_delivery, shown_webhook

if TYPE_CHECKING:
    from trunkline.delivery.webhook import Attempt, Delivery, Webhook

webhook = group("Webhooks: where the server posts an account's events to.")


@webhook.command("create")
def create(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="Where to post to.")],
    account: Account,
    events: Annotated[
        str,
        typer.Option(
            metavar="B,B",
            help="Which events, such as call.CALL_ENDED.*,device.#; all if not given.",
        ),
    ] = "",
    description: Annotated[str, typer.Option(metavar="TEXT", help="For people.")] = "",
    after: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Begin with what followed event N, not with now."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Add a webhook, and show the secret that its receiver verifies signatures with: this once."""
    with directory_of(ctx) as directory:
        account_id = find_account(directory, account).account_id

    async def work(webhooks: OpenWebhooks) -> tuple[Webhook, str]:
        wanted = tuple(listed(events))
        return await webhooks.manage.create(
            account_id, secrets.token_hex(16), url, description, wanted, after
        )

    made, secret = with_webhooks(ctx, work, changes=True)
    show_one(shown_webhook(made, secret=secret), as_json)


@webhook.command("list")
def list_webhooks(ctx: typer.Context, account: AccountIf = None, as_json: Json = False) -> None:
    """List webhooks, without their secrets."""
    account_id = None
    if account:
        with directory_of(ctx) as directory:
            account_id = find_account(directory, account).account_id

    async def work(webhooks: OpenWebhooks) -> list[Webhook]:
        return await webhooks.db.webhooks.listed(account_id, (0, ""), ALL)

    show_all([shown_webhook(each) for each in with_webhooks(ctx, work)], as_json)


@webhook.command("show")
def show(ctx: typer.Context, which: Which, as_json: Json = False) -> None:
    """Show one webhook, without its secret."""

    async def work(webhooks: OpenWebhooks) -> Webhook:
        return await webhooks.find(which)

    show_one(shown_webhook(with_webhooks(ctx, work)), as_json)


@webhook.command("enable")
def enable(ctx: typer.Context, which: Which, as_json: Json = False) -> None:
    """Send it events again, and all that came since it was stopped and is still kept."""

    async def work(webhooks: OpenWebhooks) -> Webhook:
        return await webhooks.manage.enable(await webhooks.find(which))

    show_one(shown_webhook(with_webhooks(ctx, work, changes=True)), as_json)


@webhook.command("disable")
def disable(ctx: typer.Context, which: Which, as_json: Json = False) -> None:
    """Send it nothing until it is enabled; events wait for it as long as they are kept."""

    async def work(webhooks: OpenWebhooks) -> Webhook:
        return await webhooks.manage.disable(await webhooks.find(which))

    show_one(shown_webhook(with_webhooks(ctx, work, changes=True)), as_json)


@webhook.command("delete")
def delete(ctx: typer.Context, which: Which, as_json: Json = False) -> None:
    """Delete a webhook and its deliveries."""

    async def work(webhooks: OpenWebhooks) -> Webhook:
        found = await webhooks.find(which)
        await webhooks.manage.delete(found)
        return found

    show_one({**shown_webhook(with_webhooks(ctx, work, changes=True)), "deleted": True}, as_json)


@webhook.command("rotate")
def rotate(ctx: typer.Context, which: Which, as_json: Json = False) -> None:
    """Take a new secret, and show it: this once. For 24 hours the old one signs, too."""

    async def work(webhooks: OpenWebhooks) -> tuple[Webhook, str]:
        return await webhooks.manage.rotate(await webhooks.find(which), secrets.token_hex(16))

    rotated, secret = with_webhooks(ctx, work, changes=True)
    show_one(shown_webhook(rotated, secret=secret), as_json)


@webhook.command("test")
def try_it(ctx: typer.Context, which: Which, as_json: Json = False) -> None:
    """Send it a signed sample from here, at once, and show what came back.

    Exit status 1 when it did not answer with success.
    """
    from trunkline.work.deliver.try_webhook import TryWebhook

    async def work(webhooks: OpenWebhooks) -> tuple[Delivery, list[Attempt]]:
        attempt = TryWebhook(webhooks.db, webhooks.post, now)
        delivery = await attempt(await webhooks.find(which), secrets.token_hex(16))
        return delivery, await webhooks.db.deliveries.attempts(delivery.id)

    delivery, (attempt,) = with_webhooks(ctx, work)
    show_one({**shown_delivery(delivery), **shown_attempt(attempt)}, as_json)
    if delivery.state != "delivered":
        raise typer.Exit(1)
