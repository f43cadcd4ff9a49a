"""The key itself, and the account's other keys."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from trunkline.api.v1.conventions.lists import ListQuery, listed
from trunkline.api.v1.conventions.routing import (
    Parameters,
    Request,
    Response,
    ResponseBody,
    Route,
    Time,
    alike,
)
from trunkline.calls.times import rfc3339, rfc3339_or_none
from trunkline.store.ports.apps import KeyRow


class RateLimit(ResponseBody, frozen=True, kw_only=True):
    """So many requests in so many seconds."""

    requests: int
    seconds: int


class Me(ResponseBody, frozen=True, kw_only=True):
    """The key of this request."""

    key_id: str
    account_id: str
    name: str
    prefix: Annotated[str, Meta(description="How the key begins.")]
    scopes: list[str]
    allowed_addresses: Annotated[
        list[str], Meta(description="Where it may be used from; empty: anywhere.")
    ]
    expires_at: Annotated[Time | None, Meta(description="null: never")]
    rate_limits: list[RateLimit]


class ListedKey(ResponseBody, frozen=True, kw_only=True):
    """A key of the account, also when it is good no more."""

    key_id: str
    name: str
    prefix: Annotated[str, Meta(description="How the key begins.")]
    scopes: list[str]
    allowed_addresses: list[str]
    created_at: Time
    expires_at: Time | None
    last_used_at: Annotated[Time | None, Meta(description="To the minute.")]
    revoked: bool


class KeyPage(ResponseBody, frozen=True, kw_only=True):
    """Keys, oldest first."""

    keys: list[ListedKey]


async def read_me(request: Request[Parameters, None]) -> Response:
    """What the key of this request is, and may do."""
    key, limits = request.key, request.context.rates.policy
    told = alike(
        Me.__struct_fields__,
        key,
        key_id=key.id,
        scopes=sorted(key.scopes),
        allowed_addresses=list(key.allowed_addresses),
        expires_at=rfc3339_or_none(key.expires_at),
        rate_limits=[RateLimit(requests=n, seconds=s) for n, s in limits],
    )
    return Response(Me(**told))


async def list_keys(request: Request[ListQuery, None]) -> Response:
    """The account's keys: what each may do and when it was last used, never the keys themselves."""
    read = request.context.deps.db.keys.listed
    return await listed(
        request, "keys", read, lambda rows: KeyPage(keys=[_listed(row) for row in rows])
    )


def _listed(row: KeyRow) -> ListedKey:
    told = alike(
        ListedKey.__struct_fields__,
        row,
        key_id=row.id,
        scopes=list(row.scopes),
        allowed_addresses=list(row.allowed_addresses),
        created_at=rfc3339(row.created_at),
        expires_at=rfc3339_or_none(row.expires_at),
        last_used_at=rfc3339_or_none(row.last_used_at),
        revoked=not row.enabled,
    )
    return ListedKey(**told)


ROUTES = (
    Route("GET", "/v1/me", None, read_me, "Look at the key", answer=Me),
    Route("GET", "/v1/keys", "keys:read", list_keys, "List the keys",
          parameters=ListQuery, answer=KeyPage),
)  # fmt: skip
