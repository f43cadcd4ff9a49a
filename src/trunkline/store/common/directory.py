"""The directory as calls need it: point reads."""

from __future__ import annotations

from trunkline.routing.dialling import Rights
from trunkline.routing.emergency import Emergency
from trunkline.routing.limits import Limits
from trunkline.store.common.dialect import Dialect, Reader, Row
from trunkline.store.ports.database import App, CallingDevice, Destination, EndpointOwner, TrunkLine
from trunkline.store.secrets import InstallationKey

TRUNK = "trunk-"
"""What a trunk's endpoint begins with; its id follows."""


class SqlDirectory:
    """See ``ports.database.Directory``. Secrets that are under another key raise KeyUnusable."""

    def __init__(self, reader: Reader, key: InstallationKey, dialect: Dialect) -> None:
        self._reader = reader
        self._key = key
        self._sql = dialect.named("directory")

    async def app(self, app_id: str) -> App | None:
        row = await self._reader.one(self._sql.app, app_id=app_id)
        return None if row is None else _app(row, self._key)

    async def device(self, account_id: str, sip_user: str) -> CallingDevice | None:
        row = await self._reader.one(self._sql.device, account_id=account_id, sip_user=sip_user)
        return None if row is None else _calling_device(row)

    async def extension(self, account_id: str, extension: str) -> Destination | None:
        route = f"{account_id}:{extension}"
        return _destination(await self._reader.one(self._sql.by_extension, route_key=route))

    async def did(self, account_id: str, did: str) -> Destination | None:
        route = f"{account_id}:{did.removeprefix('+')}"
        return _destination(await self._reader.one(self._sql.by_did, route_key=route))

    async def user_owner(self, user_id: str) -> Destination | None:
        """Also of a user who is disabled."""
        return _destination(await self._reader.one(self._sql.user_by_id, user_id=user_id))

    async def endpoint_owner(self, endpoint: str) -> EndpointOwner | None:
        """Also of one that is disabled."""
        if endpoint.startswith(TRUNK):
            return await self._trunk_owner(endpoint.removeprefix(TRUNK))
        row = await self._reader.one(self._sql.device_owner, sip_user=endpoint)
        return None if row is None else EndpointOwner("device", *row)

    async def _trunk_owner(self, trunk_id: str) -> EndpointOwner | None:
        row = await self._reader.one(self._sql.trunk_owner, trunk_id=trunk_id)
        if row is None:
            return None
        account_id, name, id_ = row
        return EndpointOwner("trunk", account_id, display_name=name, trunk_id=id_)

    async def trunks(self) -> list[TrunkLine]:
        rows = await self._reader.all(self._sql.trunk_lines)
        return [_trunk_line(row, self._key) for row in rows]

    async def limits(self, id_: str) -> Limits:
        row = await self._reader.one(self._sql.limits, id=id_)
        return Limits() if row is None else Limits.read(*row)

    async def timezone(self, account_id: str) -> str:
        """UTC for an account that is no more."""
        return await self._reader.one(self._sql.timezone, account_id=account_id) or "UTC"


def listed(text: str) -> tuple[str, ...]:
    """The parts of a column that holds several, with commas between."""
    return tuple(part for part in text.split(",") if part)


def _app(row: Row, key: InstallationKey) -> App:
    id_, account_id, name, secret, legacy, addresses, read_only, timezone = row
    return App(
        id=id_,
        account_id=account_id,
        name=name,
        secret=key.decrypt(secret),
        legacy_hashes=bool(legacy),
        allowed_addresses=listed(addresses),
        read_only=bool(read_only),
        timezone=timezone,
    )


def _calling_device(row: Row) -> CallingDevice:
    *fields, allow, deny, routes, numbers, trunks, record, srtp = row
    rights, emergency = Rights.read(allow, deny, routes), Emergency.read(numbers, trunks)
    return CallingDevice(*(*fields, rights, emergency, bool(record), srtp))


def _destination(row: Row | None) -> Destination | None:
    """With the devices that ring for a user."""
    if row is None:
        return None
    *fields, sip_users = row
    devices = tuple(sip_users.split("&")) if sip_users else ()
    return Destination(*(*fields, devices))


def _trunk_line(row: Row, key: InstallationKey) -> TrunkLine:
    *fields, password, register, match, srtp = row
    plain = None if password is None else key.decrypt(password)
    return TrunkLine(*(*fields, plain, bool(register), listed(match), srtp))
