"""Apps, keys, devices, users and trunks as calls and requests need them, of the rows that were read:
the same in every database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trunkline.routing.dialling import Rights
from trunkline.store.ports.database import (
    ApiKey,
    App,
    CallingDevice,
    Destination,
    EndpointOwner,
    KeyRow,
    TrunkLine,
)
from trunkline.store.secrets import InstallationKey

TRUNK = "trunk-"
"""What a trunk's endpoint begins with; its id follows."""

Row = Sequence[Any]


def app(row: Row, key: InstallationKey) -> App:
    """The app of a row of ``directory.sql``; raises KeyUnusable under another key."""
    id_, account_id, name, secret, legacy, addresses, read_only, timezone = row
    return App(
        id=id_,
        account_id=account_id,
        name=name,
        secret=key.decrypt(secret),
        legacy_hashes=bool(legacy),
        allowed_addresses=_listed(addresses),
        read_only=bool(read_only),
        timezone=timezone,
    )


def calling_device(row: Row) -> CallingDevice:
    """The device of a row of ``directory.sql``."""
    *fields, allow, deny, routes, record = row
    return CallingDevice(*(*fields, Rights.read(allow, deny, routes), bool(record)))


def destination(row: Row | None) -> Destination | None:
    """What a row of ``directory.sql`` leads to, with the devices that ring for a user."""
    if row is None:
        return None
    *fields, sip_users = row
    devices = tuple(sip_users.split("&")) if sip_users else ()
    return Destination(*(*fields, devices))


def trunk_owner(row: Row | None) -> EndpointOwner | None:
    """Whose a trunk is, of a row of ``directory.sql``."""
    if row is None:
        return None
    account_id, name, id_ = row
    return EndpointOwner("trunk", account_id, display_name=name, trunk_id=id_)


def trunk_line(row: Row, key: InstallationKey) -> TrunkLine:
    """The trunk of a row of ``directory.sql``; raises KeyUnusable under another key."""
    *fields, password, register, match = row
    plain = None if password is None else key.decrypt(password)
    return TrunkLine(*(*fields, plain, bool(register), _listed(match)))


def api_key(row: Row) -> ApiKey:
    """The key of a row of ``keys.sql: by_hash``."""
    id_, account_id, name, scopes, addresses, prefix, expires_at = row
    allowed = _listed(addresses)
    return ApiKey(id_, account_id, name, frozenset(_listed(scopes)), allowed, prefix, expires_at)


def key_row(row: Row) -> KeyRow:
    """The key of a row of ``keys.sql: listed``."""
    id_, name, prefix, scopes, addresses, created_at, expires_at, last_used_at, enabled = row
    return KeyRow(
        id=id_,
        name=name,
        prefix=prefix,
        scopes=_listed(scopes),
        allowed_addresses=_listed(addresses),
        created_at=created_at,
        expires_at=expires_at,
        last_used_at=last_used_at,
        enabled=bool(enabled),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)
