"""Webhook endpoints. Their secrets are kept encrypted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from trunkline.delivery.webhook import Webhook
from trunkline.store.common.dialect import Connection, Dialect, Reader, Row, Writer
from trunkline.store.ports.webhooks import WebhookToAdd
from trunkline.store.secrets import InstallationKey

WEBHOOK = (
    *("id", "account_id", "url", "description", "events", "state", "reason", "cursor"),
    *("previous_until", "failing_since", "failures", "not_before", "created_at", "changed_at"),
)
"""What is read of an endpoint, as ``{webhook}`` in SQL; its secrets are not."""


class SqlWebhooks:
    """See ``ports.webhooks.Webhooks``.

    Whatever changes an endpoint or its deliveries locks its row first, so that what several
    processes do to a lane goes one after the other.
    """

    def __init__(
        self, reader: Reader, writer: Writer, dialect: Dialect, key: InstallationKey
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._key = key
        self._sql = dialect.named("webhooks")
        self._deliveries = dialect.named("deliveries")

    async def get(self, webhook_id: str, account_id: str | None = None) -> Webhook | None:
        row = await self._reader.one(self._sql.get, webhook_id=webhook_id)
        webhook = None if row is None else read_webhook(row)
        return webhook if webhook and account_id in (None, webhook.account_id) else None

    async def listed(
        self, account_id: str | None, after: tuple[int, str], limit: int
    ) -> list[Webhook]:
        created_at, id_ = after
        where: dict[str, Any] = {"created_at": created_at, "id": id_, "limit": limit}
        if account_id is None:
            rows = await self._reader.all(self._sql.listed, **where)
        else:
            rows = await self._reader.all(self._sql.listed_of, account_id=account_id, **where)
        return [read_webhook(row) for row in rows]

    async def active(self, account_id: str) -> list[Webhook]:
        rows = await self._reader.all(self._sql.active, account_id=account_id)
        return [read_webhook(row) for row in rows]

    async def active_accounts(self) -> set[str]:
        rows = await self._reader.all(self._sql.active_accounts)
        return {account_id for (account_id,) in rows}

    async def secrets(self, webhook_id: str, now: int) -> tuple[str, ...]:
        """Raises KeyUnusable under another key."""
        row = await self._reader.one(self._sql.secrets, webhook_id=webhook_id, now=now)
        return tuple(self._key.decrypt(each) for each in row or () if each is not None)

    async def add(self, new: WebhookToAdd, most: int) -> Webhook | None:
        columns = _columns(new, self._key.encrypt(new.secret))

        async def add(connection: Connection) -> Webhook | None:
            await self._sql.lock_account(connection, account_id=new.account_id)
            found = await self._read(connection, new.id)
            if found or await self._sql.how_many(connection, account_id=new.account_id) >= most:
                return found
            await self._sql.add(connection, **columns)
            return await self._read(connection, new.id)

        return await self._writer.run(add)

    async def change(
        self,
        webhook_id: str,
        now: int,
        *,
        url: str | None = None,
        description: str | None = None,
        events: tuple[str, ...] | None = None,
    ) -> Webhook | None:
        return await self._changed(
            webhook_id,
            self._sql.change,
            now=now,
            url=url,
            description=description,
            events=None if events is None else ",".join(events),
        )

    async def rotate(self, webhook_id: str, secret: str, now: int, until: int) -> Webhook | None:
        encrypted = self._key.encrypt(secret)

        async def rotate(connection: Connection, **values: Any) -> None:
            found = await self._sql.secrets(connection, webhook_id=webhook_id, now=now)
            if found is not None and self._key.decrypt(found[0]) != secret:
                await self._sql.rotate(connection, secret=encrypted, until=until, **values)

        return await self._changed(webhook_id, rotate, now=now)

    async def enable(self, webhook_id: str, now: int) -> Webhook | None:
        async def enable(connection: Connection, **values: Any) -> None:
            if await self._sql.enable(connection, **values):
                await self._deliveries.afresh(connection, webhook_id=webhook_id)
                await self._deliveries.hasten(connection, since=0, **values)

        return await self._changed(webhook_id, enable, now=now)

    async def disable(self, webhook_id: str, reason: str, now: int) -> Webhook | None:
        return await self._changed(webhook_id, self._sql.disable, reason=reason, now=now)

    async def delete(self, webhook_id: str) -> bool:
        gone = await self._writer.run(
            lambda connection: self._sql.delete(connection, webhook_id=webhook_id)
        )
        return bool(gone)

    async def _changed(
        self, webhook_id: str, statement: Callable[..., Awaitable[Any]], **values: Any
    ) -> Webhook | None:
        async def change(connection: Connection) -> Webhook | None:
            await self._sql.lock(connection, webhook_id=webhook_id)
            await statement(connection, webhook_id=webhook_id, **values)
            return await self._read(connection, webhook_id)

        return await self._writer.run(change)

    async def _read(self, connection: Connection, webhook_id: str) -> Webhook | None:
        row = await self._sql.get(connection, webhook_id=webhook_id)
        return None if row is None else read_webhook(row)


def read_webhook(row: Row) -> Webhook:
    """The endpoint of a row of ``webhooks.sql``."""
    values = dict(zip(WEBHOOK, row, strict=True))
    return Webhook(**{**values, "events": tuple(filter(None, values["events"].split(",")))})


def _columns(new: WebhookToAdd, secret: str) -> dict[str, Any]:
    """``secret`` is the encrypted one."""
    return {
        "id": new.id,
        "account_id": new.account_id,
        "url": new.url,
        "description": new.description,
        "events": ",".join(new.events),
        "secret": secret,
        "after": new.after,
        "now": new.now,
    }
