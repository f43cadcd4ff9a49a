"""The webhooks, open for one command.

Each command works on the database itself and then tells the server that runs on the same data
directory, if one does; so it works with and without one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from trunkline.cli.context import data_directory, settings_of
from trunkline.cli.failure import CommandFailed
from trunkline.cli.running_server import tell_server

if TYPE_CHECKING:
    from trunkline.delivery.webhook import Webhook
    from trunkline.store.ports.database import Database
    from trunkline.webhooks.port import Post
    from trunkline.work.manage.webhooks import ManageWebhooks

T = TypeVar("T")
Which = Annotated[
    str, typer.Argument(metavar="WEBHOOK", help="Its id, the beginning of that, or its URL.")
]
ALL = 1 << 62


class OpenWebhooks:
    """The database with the verbs, open for one command."""

    def __init__(self, db: Database, manage: ManageWebhooks, post: Post) -> None:
        self.db = db
        self.manage = manage
        self.post = post

    async def find(self, wanted: str) -> Webhook:
        """The one webhook with that id, beginning of an id, or URL; raises CommandFailed."""
        every = await self.db.webhooks.listed(None, (0, ""), ALL)
        found = [each for each in every if each.id.startswith(wanted) or each.url == wanted]
        if len(found) == 1:
            return found[0]
        raise CommandFailed(
            f"{'several webhooks are' if found else 'there is no webhook'} {wanted!r}: "
            "see trunkline webhooks list"
        )


def now() -> int:
    return time.time_ns() // 1000


def with_webhooks(
    ctx: typer.Context, work: Callable[[OpenWebhooks], Awaitable[T]], changes: bool = False
) -> T:
    """Do the work with the database open, and tell the server of changes. Raises CommandFailed."""
    from trunkline.server.wiring.webhooks import SECRETS, post
    from trunkline.store.opening import open_database
    from trunkline.store.secrets import open_key
    from trunkline.work.manage.webhooks import ManageWebhooks
    from trunkline.work.refused import Refused

    settings = settings_of(ctx)
    data = data_directory(settings)

    async def run() -> T:
        key = open_key(data / "secret.key")
        db = open_database(settings.place, key)
        try:
            poster = post(settings, now)
            derived = key.derive(SECRETS)
            return await work(
                OpenWebhooks(db, ManageWebhooks(db, poster.check, derived, now), poster)
            )
        finally:
            await db.close()

    try:
        result = asyncio.run(run())
    except Refused as refused:
        raise CommandFailed(refused.detail.rstrip(".")) from refused
    if changes:
        tell_server(data)
    return result
