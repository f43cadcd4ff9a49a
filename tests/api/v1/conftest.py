"""/v1 on a real database."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from calls.replay import NODE
from store.making import KEY, announcement
from trunkline.api.application import build_api
from trunkline.api.http.deps import ApiDeps
from trunkline.api.v1.conventions.pipeline import V1
from trunkline.bus.local import LocalBus
from trunkline.directory.api_keys import SCOPES
from trunkline.directory.entries import AccountEntry, KeyEntry
from trunkline.events.message_ids import MessageIds
from trunkline.events.stored import StoredEvent
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.sqlite import open_database
from trunkline.store.sqlite.schema import upgrade
from trunkline.webhooks.addresses import Addresses
from trunkline.webhooks.post import HttpPost
from trunkline.work.control.transfer_call import TransferCall
from trunkline.work.deliver.try_webhook import TryWebhook
from trunkline.work.follow.follow_log import CallLog
from trunkline.work.manage import keys as manage_keys
from trunkline.work.manage.accounts import create_account
from trunkline.work.manage.webhooks import ManageWebhooks

from ..conftest import NOW, World, client_of

NO_ENGINE: Any = None
"""No call lives in these tests, so it is never asked."""


@cache
def _migrated() -> Path:
    """An empty database: making one costs more than most tests."""
    path = Path(tempfile.mkdtemp()) / "trunkline.db"
    atexit.register(shutil.rmtree, path.parent)
    upgrade(path)
    return path


class Office:
    """An account, its keys and its event log, behind a door of /v1."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = NOW
        self.bus = LocalBus()
        shutil.copy(_migrated(), path)
        self.db = open_database(path, KEY)
        self.account = self.change(lambda d: create_account(d, "acme"))
        clock = lambda: self.now  # noqa: E731
        self.calls = CallLog(self.db, self.bus, NODE, clock, MessageIds(clock))
        self.post = HttpPost(Addresses(["127.0.0.0/8"]), lambda: time.time_ns() // 1000, timeout=2)
        self.refreshed = asyncio.Event()

    def change(self, work: Any) -> Any:
        """Change the directory, as the command line would."""
        with ManagedDirectory(self.path, KEY).transaction() as directory:
            return work(directory)

    def made(
        self, *scopes: str, account: AccountEntry | None = None, **more: Any
    ) -> tuple[KeyEntry, str]:
        """A new key, with every scope where none is named."""
        return self.change(
            lambda d: manage_keys.create_key(
                d, account or self.account, "test", scopes or tuple(SCOPES), **more
            )
        )

    def key(self, *scopes: str, **more: Any) -> str:
        return self.made(*scopes, **more)[1]

    def deps(self, **settings: Any) -> ApiDeps:
        world = World()
        made = world.deps(**{"v1_request_rate": "100000/second", **settings})
        return replace(
            made,
            db=self.db,
            bus=self.bus,
            clock=lambda: self.now,
            manage_webhooks=ManageWebhooks(
                self.db, self.post.check, b"w" * 32, lambda: self.now, self.refresh
            ),
            try_webhook=TryWebhook(self.db, self.post, lambda: time.time_ns() // 1000),
            transfer_call=TransferCall(self.db, NO_ENGINE, self.calls),
        )

    async def refresh(self) -> None:
        self.refreshed.set()

    def v1(self, **settings: Any) -> V1:
        return V1(self.deps(**settings))

    def client(
        self, key: str | None = None, address: str = "192.0.2.7", **settings: Any
    ) -> httpx.AsyncClient:
        """A client of a door of its own, sending the key (a new one with all scopes)."""
        deps = self.deps(**settings)
        client = client_of(build_api(deps), address)
        client.headers["authorization"] = f"Bearer {key or self.key()}"
        return client

    async def tell(self, n: int = 1, **more: Any) -> list[StoredEvent]:
        """Store n events, and tell the bus."""
        account_id = more.pop("account_id", self.account.account_id)
        stored = await self.db.events.append(
            [announcement(account_id, number, **more) for number in range(n)]
        )
        self.bus.publish(stored)
        return stored


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(tmp_path / "trunkline.db")
    yield made
    await made.db.close()


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    async with office.client() as one:
        yield one


def problem_of(answer: httpx.Response) -> tuple[int, str]:
    """(status, code) of a well-formed problem."""
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["status"] == answer.status_code
    assert told["request_id"] == answer.headers["x-request-id"]
    assert told["type"].endswith(f"/docs/errors/{told['code']}")
    assert told["title"]
    assert told["detail"]
    return answer.status_code, told["code"]


async def until(holds: Callable[[], bool]) -> None:
    """Return once it holds."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - anything may be waited for
            await asyncio.sleep(0.005)
