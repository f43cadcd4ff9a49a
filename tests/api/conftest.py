"""The HTTP door on hand-written fakes of what is behind it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest

from trunkline.api.application import build_api
from trunkline.api.http.deps import ApiDeps
from trunkline.bus.local import LocalBus
from trunkline.calls.recording_plan import WholeFile
from trunkline.events.stored import StoredEvent
from trunkline.history.row import HistoryRow
from trunkline.recordings.port import RecordingMissing
from trunkline.store.ports.apps import Claim, Claimed, KeyReused
from trunkline.store.ports.database import App, DatabaseUnavailable, Page, Recording
from trunkline.store.ports.webhooks import Backlog
from trunkline.work.control.transfer_call import Transferred, TransferWanted
from trunkline.work.place.place_call import CallPlaced, CallWanted
from trunkline.work.refused import Refused
from trunkline.work.upkeep.vital_signs import Vitals

NOW = 1_700_000_000_000_000
APP_ID = "a" * 31 + "1"
SECRET = "5" * 64
ACCOUNT = "c" * 32
FINISHED = "call_recording_done.mp3"
AUDIO = bytes(range(256)) * 40


def app(**changes: Any) -> App:
    values: dict[str, Any] = {
        "id": APP_ID,
        "account_id": ACCOUNT,
        "name": "crm",
        "secret": SECRET,
        "legacy_hashes": True,
        "allowed_addresses": (),
        "read_only": False,
        "timezone": "Asia/Ho_Chi_Minh",
    }
    return App(**{**values, **changes})


def row(number: int) -> HistoryRow:
    return HistoryRow(
        caller={"number": "01693608879", "type": "realnumber"},
        callee={"number": "t1", "type": "user", "username": "thutran"},
        class_="trunking",
        did_number="02873019555",
        direction="to_ab",
        status_detail="SUCCESS",
        duration_seconds=50,
        unix_timestamp=1519639917,
        billing_seconds=43,
        recording="",
        call_id=f"call-{number}",
    )


def recording(name: str, state: Any = "ready", account: str = ACCOUNT) -> Recording:
    return Recording(
        *(name, account, "call", "raw", state, 0, len(AUDIO), 1.0, 0, None, "call"),
        WholeFile("raw"),
    )


class FakeDirectory:
    def __init__(self) -> None:
        self.apps = {APP_ID: app()}

    async def app(self, app_id: str) -> App | None:
        return self.apps.get(app_id)


class FakeCalls:
    def __init__(self) -> None:
        self.total = 45
        self.asked: list[tuple[str, int, int, int, int]] = []

    async def page(self, account_id: str, start: int, end: int, limit: int, page: int) -> Page:
        self.asked.append((account_id, start, end, limit, page))
        first = (page - 1) * limit
        return Page(self.total, [row(n) for n in range(first, min(first + limit, self.total))])


class FakeTokens:
    def __init__(self) -> None:
        self.added: list[tuple[str, str, str, int]] = []
        self.broken = False

    async def add(self, token_hash: str, app_id: str, account_id: str, expires: int) -> None:
        if self.broken:
            raise DatabaseUnavailable("disk full")
        self.added.append((token_hash, app_id, account_id, expires))


class FakeRequests:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    async def claim(
        self, app_id: str, key: str, fingerprint: str, call_id: str, now: int, kept_until: int
    ) -> Claim:
        if (app_id, key) in self.kept:
            return KeyReused()
        self.kept[app_id, key] = b""
        return Claimed()

    async def answer(self, app_id: str, key: str, status: int, body: bytes) -> None:
        self.kept[app_id, key] = body

    def alone(self, app_id: str, key: str) -> AbstractAsyncContextManager[bool]:
        return nullcontext(True)


class FakeRecordings:
    def __init__(self) -> None:
        rows = (
            recording(FINISHED),
            recording("call_recording_waiting.mp3", "pending"),
            recording("call_recording_failed.mp3", "failed"),
            recording("call_recording_theirs.mp3", account="d" * 32),
            recording("call_recording_vanished.mp3"),
        )
        self.rows = {one.name: one for one in rows}

    async def by_name(self, account_id: str, name: str) -> Recording | None:
        found = self.rows.get(name)
        return found if found and found.account_id == account_id else None

    async def any_account(self, name: str) -> Recording | None:
        return self.rows.get(name)


class FakeKeys:
    """No key is good: the tests of /v1 work with a real database."""

    async def by_hash(self, key_hash: str, now: int) -> None:
        return None


class FakeDeliveries:
    """Five are pending, the oldest for two seconds; one endpoint was stopped."""

    async def backlog(self) -> Backlog:
        return Backlog(5, NOW - 2_000_000, 1)


class FakeDatabase:
    def __init__(self) -> None:
        self.deliveries = FakeDeliveries()
        self.directory = FakeDirectory()
        self.calls = FakeCalls()
        self.tokens = FakeTokens()
        self.requests = FakeRequests()
        self.recordings = FakeRecordings()
        self.keys = FakeKeys()
        self.broken = False
        self.pings = 0

    async def ping(self) -> None:
        self.pings += 1
        if self.broken:
            raise DatabaseUnavailable("disk full")


class FakeStore:
    def __init__(self) -> None:
        self.files = {FINISHED: AUDIO}

    async def size(self, name: str) -> int:
        if name not in self.files:
            raise RecordingMissing(name)
        return len(self.files[name])

    async def stream(self, name: str, start: int, end: int) -> AsyncIterator[bytes]:
        for at in range(start, end, 1000):
            yield self.files[name][at : min(at + 1000, end)]


class FakePlaceCall:
    def __init__(self) -> None:
        self.wanted: list[CallWanted] = []
        self.refusal: Exception | None = None

    async def __call__(self, app: App, wanted: CallWanted) -> CallPlaced:
        if self.refusal:
            raise self.refusal
        if not wanted.number.isdigit():
            raise Refused("NUMBER_INVALID", "That is no number.")
        self.wanted.append(wanted)
        return CallPlaced(200, b'{"success":true,"message":"OK","call_id":"%s"}' % (b"1" * 32))


class FakeTransferCall:
    def __init__(self) -> None:
        self.wanted: list[TransferWanted] = []
        self.refusal: Exception | None = None

    async def __call__(self, wanted: TransferWanted) -> Transferred:
        if self.refusal:
            raise self.refusal
        self.wanted.append(wanted)
        return Transferred(wanted.leg_id or "leg-of-the-phone", wanted.to)


class FakeVitalSigns:
    def __init__(self) -> None:
        self.values: dict[str, Any] = {
            "engine_up": True,
            "draining": False,
            "log_lag_seconds": 0.25,
            "calls_live": 3,
            "recordings_waiting": 2,
            "registrations_online": 7,
            "events_total": 100,
            "engine_restarts": 1,
            "event_connections": {"websocket": 5, "sse": 0},
        }

    async def read(self) -> Vitals:
        return Vitals(**self.values)


class World:
    """The door with its fakes, and a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW
        self.bus = LocalBus()
        self.db = FakeDatabase()
        self.place_call = FakePlaceCall()
        self.transfer_call = FakeTransferCall()
        self.store = FakeStore()
        self.vital_signs = FakeVitalSigns()
        self.synced = 0
        self.triggered: list[tuple[Any, ...]] = []

    async def sync(self) -> None:
        self.synced += 1

    async def trigger_event(self, *wanted: Any) -> list[StoredEvent]:
        self.triggered.append(wanted)
        body = b'{"Event-Name":"DEVICE_ONLINE","Test":true,"Event-Seq":7}'
        return [StoredEvent(wanted[0], 7, "device", wanted[1], "an1", None, NOW, body)]

    def deps(self, **settings: Any) -> ApiDeps:
        return ApiDeps(
            db=self.db,  # type: ignore[arg-type]
            place_call=self.place_call,
            transfer_call=self.transfer_call,
            store=self.store,  # type: ignore[arg-type]
            vital_signs=self.vital_signs,
            sync=self.sync,
            trigger_event=self.trigger_event,
            manage_webhooks=None,  # type: ignore[arg-type]  # the tests of /v1 have a real one
            try_webhook=None,  # type: ignore[arg-type]
            sync_token="sync-token",
            url_key=b"k" * 32,
            answers_key=b"a" * 32,
            bus=self.bus,
            clock=lambda: self.now,
            **settings,
        )

    def client(
        self, address: str = "192.0.2.7", base: str = "http://phone.test", **settings: Any
    ) -> httpx.AsyncClient:
        """A client of a door of its own (own counters, own nonces)."""
        return client_of(build_api(self.deps(**settings)), address, base)


def client_of(
    api: Any, address: str = "192.0.2.7", base: str = "http://phone.test"
) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(api, client=(address, 1234))
    return httpx.AsyncClient(transport=transport, base_url=base)


def sha(*parts: str) -> str:
    return hashlib.sha256("".join(parts).encode()).hexdigest()


HEADERS = {"x-auth-app-id": APP_ID, "x-auth-app-hash": sha(APP_ID, SECRET)}
DATES = {"created_from": "2018-02-07T02:19:33.000Z", "created_to": "2018-02-07T07:04:22.000Z"}


def histories_query(**fields: str) -> dict[str, str]:
    """A query with its documented hash."""
    names = ("created_from", "created_to", "limit", "page")
    made = sha(APP_ID, *(fields.get(name, "") for name in names), SECRET)
    return {"appId": APP_ID, **fields, "hash": made}


def media_query(media: str) -> dict[str, str]:
    return {"appId": APP_ID, "media": media, "hash": sha(APP_ID, media, SECRET)}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with world.client(call_rate="10000/second") as one:
        yield one


@pytest.fixture
def root() -> Path:
    """The repository."""
    return Path(__file__).parents[2]


@pytest.fixture
def served(world: World) -> Iterator[Callable[..., str]]:
    """Serve the door on a free loopback port, in a thread; gives its URL."""
    import socket
    import threading

    import uvicorn

    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(**settings: Any) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(build_api(world.deps(**settings)), log_level="error")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(timeout=20)
