"""trunkline webhooks create, list, …: webhook endpoints, by hand.

Each command works on the database itself and then tells the server that runs on the same data
directory, if one does; so it works with and without one.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from trunkline.cli.context import data_directory, settings_of
from trunkline.cli.directory.transaction import directory_of, find_account
from trunkline.cli.failure import CommandFailed
from trunkline.cli.options import Account, AccountIf, Json, listed
from trunkline.cli.output import show_all, show_one
from trunkline.cli.running_server import tell_server

if TYPE_CHECKING:
    from trunkline.delivery.webhook import Attempt, Delivery, Webhook
    from trunkline.store.ports.database import Database
    from trunkline.webhooks.post import HttpPost
    from trunkline.work.manage.manage_webhooks import ManageWebhooks

T = TypeVar("T")
Which = Annotated[
    str, typer.Argument(metavar="WEBHOOK", help="Its id, the beginning of that, or its URL.")
]
_ALL = 1 << 62

webhook = typer.Typer(
    help="Webhooks: where the server posts an account's events to.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Desk:
    """The database with the verbs, open for one command."""

    def __init__(self, db: Database, manage: ManageWebhooks, post: HttpPost) -> None:
        self.db = db
        self.manage = manage
        self.post = post

    async def find(self, wanted: str) -> Webhook:
        """The one endpoint with that id, beginning of an id, or URL; raises CommandFailed."""
        every = await self.db.webhooks.listed(None, (0, ""), _ALL)
        found = [each for each in every if each.id.startswith(wanted) or each.url == wanted]
        if len(found) == 1:
            return found[0]
        raise CommandFailed(
            f"{'several webhooks are' if found else 'there is no webhook'} {wanted!r}: "
            "see trunkline webhooks list"
        )


def now() -> int:
    """Unix microseconds."""
    return time.time_ns() // 1000


def work_on(ctx: typer.Context, work: Callable[[Desk], Awaitable[T]], changes: bool = False) -> T:
    """Do it with the database open; after a change, the server is told. Raises CommandFailed."""
    from trunkline.server.wiring import webhooks as webhook_parts
    from trunkline.store.place import open_database
    from trunkline.store.secrets import open_key
    from trunkline.work.manage.manage_webhooks import ManageWebhooks
    from trunkline.work.refused import Refused

    settings = settings_of(ctx)
    data = data_directory(settings)

    async def run() -> T:
        key = open_key(data / "secret.key")
        db = open_database(settings.place, key)
        try:
            post = webhook_parts.post(settings, now)
            derived = key.derive(webhook_parts.SECRETS)
            return await work(Desk(db, ManageWebhooks(db, post.check, derived, now), post))
        finally:
            await db.close()

    try:
        result = asyncio.run(run())
    except Refused as refused:
        raise CommandFailed(refused.detail.rstrip(".")) from refused
    if changes:
        tell_server(data)
    return result


def shown(webhook: Webhook, **more: Any) -> dict[str, Any]:
    """An endpoint's keys; ``more`` are secrets, shown this once."""
    from trunkline.calls.times import maybe

    return {
        "webhookId": webhook.id,
        "accountId": webhook.account_id,
        "url": webhook.url,
        "events": list(webhook.events),
        "description": webhook.description,
        **more,
        "state": webhook.state,
        "reason": webhook.reason,
        "givenUpTo": webhook.cursor,
        "failingSince": maybe(webhook.failing_since),
        "createdAt": maybe(webhook.created_at),
    }


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

    async def work(desk: Desk) -> tuple[Webhook, str]:
        wanted = tuple(listed(events))
        return await desk.manage.create(
            account_id, secrets.token_hex(16), url, description, wanted, after
        )

    made, secret = work_on(ctx, work, changes=True)
    show_one(shown(made, secret=secret), as_json)


@webhook.command("list")
def list_webhooks(ctx: typer.Context, account: AccountIf = None, as_json: Json = False) -> None:
    """List webhooks, without their secrets."""
    account_id = None
    if account:
        with directory_of(ctx) as directory:
            account_id = find_account(directory, account).account_id

    async def work(desk: Desk) -> list[Webhook]:
        return await desk.db.webhooks.listed(account_id, (0, ""), _ALL)

    show_all([shown(each) for each in work_on(ctx, work)], as_json)


@webhook.command("show")
def show(ctx: typer.Context, which: Which, as_json: Json = False) -> None:
    """Show one webhook, without its secret."""

    async def work(desk: Desk) -> Webhook:
        return await desk.find(which)

    show_one(shown(work_on(ctx, work)), as_json)


@webhook.command("enable")
def enable(ctx: typer.Context, which: Which, as_json: Json = False) -> None:
    """Send it events again, and all that came since it was stopped and is still kept."""

    async def work(desk: Desk) -> Webhook:
        return await desk.manage.enable(await desk.find(which))

    show_one(shown(work_on(ctx, work, changes=True)), as_json)


@webhook.command("disable")
def disable(ctx: typer.Context, which: Which, as_json: Json = False) -> None:
    """Send it nothing until it is enabled; events wait for it as long as they are kept."""

    async def work(desk: Desk) -> Webhook:
        return await desk.manage.disable(await desk.find(which))

    show_one(shown(work_on(ctx, work, changes=True)), as_json)


@webhook.command("delete")
def delete(ctx: typer.Context, which: Which, as_json: Json = False) -> None:
    """Delete a webhook and its deliveries."""

    async def work(desk: Desk) -> Webhook:
        found = await desk.find(which)
        await desk.manage.delete(found)
        return found

    show_one({**shown(work_on(ctx, work, changes=True)), "deleted": True}, as_json)


@webhook.command("rotate")
def rotate(ctx: typer.Context, which: Which, as_json: Json = False) -> None:
    """Take a new secret, and show it: this once. For 24 hours the old one signs, too."""

    async def work(desk: Desk) -> tuple[Webhook, str]:
        return await desk.manage.rotate(await desk.find(which), secrets.token_hex(16))

    rotated, secret = work_on(ctx, work, changes=True)
    show_one(shown(rotated, secret=secret), as_json)


@webhook.command("test")
def try_it(ctx: typer.Context, which: Which, as_json: Json = False) -> None:
    """Send it a signed sample from here, at once, and show what came back.

    Exit status 1 when it did not answer with success.
    """
    from trunkline.work.deliver.try_webhook import TryWebhook

    async def work(desk: Desk) -> tuple[Delivery, list[Attempt]]:
        attempt = TryWebhook(desk.db, desk.post, now)
        delivery = await attempt(await desk.find(which), secrets.token_hex(16))
        return delivery, await desk.db.deliveries.attempts(delivery.id)

    delivery, (attempt,) = work_on(ctx, work)
    show_one({**shown_delivery(delivery), **shown_attempt(attempt)}, as_json)
    if delivery.state != "delivered":
        raise typer.Exit(1)


def shown_delivery(delivery: Delivery) -> dict[str, Any]:
    """A delivery's keys."""
    from trunkline.calls.times import maybe

    return {
        "deliveryId": delivery.id,
        "seq": delivery.seq,
        "type": delivery.name,
        "kind": delivery.kind,
        "callId": delivery.call_id,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "lastStatus": delivery.last_status,
        "lastError": delivery.last_error,
        "createdAt": maybe(delivery.created_at),
        "nextAttemptAt": maybe(delivery.next_at),
        "doneAt": maybe(delivery.done_at),
    }


def shown_attempt(attempt: Attempt) -> dict[str, Any]:
    """An attempt's keys; durations in milliseconds."""
    from trunkline.calls.times import maybe

    return {
        "at": maybe(attempt.at),
        "address": attempt.address,
        "status": attempt.status,
        "error": attempt.error,
        "resolveMs": attempt.resolve_ms,
        "connectMs": attempt.connect_ms,
        "tlsMs": attempt.tls_ms,
        "firstByteMs": attempt.first_byte_ms,
        "totalMs": attempt.total_ms,
        "answer": attempt.answer.decode(errors="replace"),
    }
