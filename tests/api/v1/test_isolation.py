"""A key sees what its own account has: every route of /v1, asked for another account's things."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from store.making import record
from trunkline.api.v1.conventions.routing import Route
from trunkline.api.v1.table import ROUTES
from trunkline.store.ports.database import Batch
from trunkline.work.manage.accounts import create_account

from .conftest import Office

BODIES: dict[str, Any] = {
    "/v1/webhooks": {"url": "http://127.0.0.1:9/ours"},
    "/v1/webhooks/{webhook_id}/replay": {"from": 1, "to": 2},
    "/v1/calls/{call_id}/transfer": {"to": "0281234567"},
}


class Theirs:
    """What another account has: a key, three events of a call, a webhook and its deliveries."""

    def __init__(self, account_id: str, key_id: str, webhook: dict[str, Any]) -> None:
        self.account_id, self.key_id, self.webhook = account_id, key_id, webhook
        self.call_id = "call-of-theirs"

    @property
    def marks(self) -> list[str]:
        """Texts that only they may see."""
        secret = self.webhook["secret"].removeprefix("whsec_")
        return [self.account_id, self.key_id, self.webhook["webhook_id"], secret, self.call_id]


@pytest.fixture
async def theirs(office: Office) -> Theirs:
    other = office.change(lambda d: create_account(d, "theirs"))
    entry, key = office.made(account=other)
    async with office.client(key) as client:
        made = await client.post(
            "/v1/webhooks", json={"url": "http://127.0.0.1:9/theirs", "after": 0}
        )
    found = Theirs(other.account_id, entry.key_id, made.json())
    call = record(found.call_id, other.account_id)
    await office.db.calls.commit(Batch(finished=[call]))
    await office.tell(3, account_id=other.account_id, call_id=found.call_id)
    return found


def of_theirs(route: Route, theirs: Theirs) -> str:
    """Its path, with their webhook's id, and else with the number of something that they have."""
    known = {"webhook_id": theirs.webhook["webhook_id"], "call_id": theirs.call_id}
    return route.path.format(**{**dict.fromkeys(route.in_path, "1"), **known})


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_no_route_shows_or_changes_what_another_account_has(
    office: Office, theirs: Theirs, client: httpx.AsyncClient, route: Route
) -> None:
    body = {"json": BODIES.get(route.path, {})} if route.body else {}
    asks = "call_id" in route.parameters.__struct_fields__ and "call_id" not in route.in_path
    query = {"call_id": theirs.call_id} if asks else {}

    answer = await client.request(route.method, of_theirs(route, theirs), params=query, **body)

    assert answer.status_code < 300 if not route.in_path else answer.status_code == 404
    assert [mark for mark in theirs.marks if mark in answer.text and mark not in str(query)] == []


async def test_nothing_of_it_has_changed(
    office: Office, theirs: Theirs, client: httpx.AsyncClient
) -> None:
    for route in ROUTES:
        if route.changes and route.in_path:
            body = {"json": BODIES.get(route.path, {})} if route.body else {}
            await client.request(route.method, of_theirs(route, theirs), **body)

    id_ = theirs.webhook["webhook_id"]
    kept = await office.db.webhooks.get(id_, theirs.account_id)

    assert kept is not None
    assert kept.state == "enabled"
    assert (await office.db.webhooks.secrets(id_, office.now)) == (theirs.webhook["secret"],)
