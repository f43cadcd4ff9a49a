"""The directory as calls need it: point reads."""

from __future__ import annotations

from trunkline.store.common.directory_rows import (
    TRUNK,
    app,
    calling_device,
    destination,
    trunk_line,
    trunk_owner,
)
from trunkline.store.ports.database import App, CallingDevice, Destination, EndpointOwner, TrunkLine
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.reader import Reader
from trunkline.store.secrets import InstallationKey


class PostgresDirectory:
    """Accounts, apps, users, devices, trunks and numbers (see ``db.port.Directory``)."""

    def __init__(self, reader: Reader, key: InstallationKey) -> None:
        self._reader = reader
        self._key = key
        self._sql = named("directory")

    async def app(self, app_id: str) -> App | None:
        """The enabled app of an enabled account; raises KeyUnusable under another key."""
        row = await self._reader.one(self._sql.app, app_id=app_id)
        return None if row is None else app(row, self._key)

    async def device(self, account_id: str, sip_user: str) -> CallingDevice | None:
        """The account's enabled device."""
        row = await self._reader.one(self._sql.device, account_id=account_id, sip_user=sip_user)
        return None if row is None else calling_device(row)

    async def extension(self, account_id: str, extension: str) -> Destination | None:
        """What is behind an extension, unless that is disabled."""
        route = f"{account_id}:{extension}"
        return destination(await self._reader.one(self._sql.by_extension, route_key=route))

    async def did(self, account_id: str, did: str) -> Destination | None:
        """What is behind an inbound number, with a leading ``+`` or without."""
        route = f"{account_id}:{did.removeprefix('+')}"
        return destination(await self._reader.one(self._sql.by_did, route_key=route))

    async def user_owner(self, user_id: str) -> Destination | None:
        """The user, by id, also when disabled."""
        return destination(await self._reader.one(self._sql.user_by_id, user_id=user_id))

    async def endpoint_owner(self, endpoint: str) -> EndpointOwner | None:
        """Whose an endpoint is, also when disabled."""
        if endpoint.startswith(TRUNK):
            return await self._trunk_owner(endpoint.removeprefix(TRUNK))
        row = await self._reader.one(self._sql.device_owner, sip_user=endpoint)
        return None if row is None else EndpointOwner("device", *row)

    async def _trunk_owner(self, trunk_id: str) -> EndpointOwner | None:
        return trunk_owner(await self._reader.one(self._sql.trunk_owner, trunk_id=trunk_id))

    async def trunks(self) -> list[TrunkLine]:
        """All enabled trunks of enabled accounts; raises KeyUnusable under another key."""
        return [trunk_line(row, self._key) for row in await self._reader.all(self._sql.trunk_lines)]

    async def timezone(self, account_id: str) -> str:
        """The account's IANA time zone; UTC for an account that is no more."""
        return await self._reader.one(self._sql.timezone, account_id=account_id) or "UTC"
