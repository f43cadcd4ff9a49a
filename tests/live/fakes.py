"""An in-memory event log and token store that keep the ports' promises."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections import defaultdict
from collections.abc import Sequence
from urllib.parse import parse_qs

import msgspec

from trunkline.bus.local import LocalBus
from trunkline.events.bindings import Binding, BindingInvalid, parse
from trunkline.events.stored import Announcement, StoredEvent
from trunkline.live.http.asgi import Headers, Scope, Send, header
from trunkline.store.ports.apps import ApiKey, TokenOwner
from trunkline.work.refused import Refused


class FakeEvents:
    """``store.ports.database.Events`` in memory; ``forget`` plays the retention."""

    def __init__(self) -> None:
        self._logs: dict[str, list[StoredEvent]] = defaultdict(list)
        self._counts: dict[str, int] = defaultdict(int)
        self.reads = 0

    async def after(self, account_id: str, seq: int, limit: int) -> list[StoredEvent]:
        self.reads += 1
        return [event for event in self._logs[account_id] if event.seq > seq][:limit]

    async def bounds(self, account_id: str) -> tuple[int, int]:
        log = self._logs[account_id]
        return (log[0].seq, log[-1].seq) if log else (1, 0)

    async def append(self, announcements: Sequence[Announcement]) -> list[StoredEvent]:
        return [self.store(announcement) for announcement in announcements]

    def store(self, said: Announcement) -> StoredEvent:
        self._counts[said.account_id] += 1
        seq = self._counts[said.account_id]
        body = msgspec.json.encode(said.body)[:-1] + b',"Event-Seq":%d}' % seq
        event = StoredEvent(
            said.account_id,
            seq,
            said.category,
            said.name,
            said.subject,
            said.call_id,
            said.at,
            body,
        )
        self._logs[said.account_id].append(event)
        return event

    def forget(self, account_id: str, upto: int) -> None:
        log = self._logs[account_id]
        self._logs[account_id] = [event for event in log if event.seq > upto]

    async def device_state(self, device_id: str, online: bool, announcement: Announcement) -> None:
        raise NotImplementedError

    async def device_states(self) -> dict[str, bool]:
        return {}


class WaitingEvents(FakeEvents):
    """Reads wait as over a network: some turns of the loop before they are looked up, and some after.

    ``waits`` says how many, over and over; none: every read is answered at once.
    """

    def __init__(self, waits: Sequence[int] = ()) -> None:
        super().__init__()
        self._waits = itertools.cycle(waits or (0,))

    async def after(self, account_id: str, seq: int, limit: int) -> list[StoredEvent]:
        await self._wait()
        found = await super().after(account_id, seq, limit)
        await self._wait()
        return found

    async def bounds(self, account_id: str) -> tuple[int, int]:
        await self._wait()
        found = await super().bounds(account_id)
        await self._wait()
        return found

    async def _wait(self) -> None:
        for _ in range(next(self._waits)):
            await asyncio.sleep(0)


class FakeTokens:
    """``store.ports.apps.Tokens`` in memory."""

    def __init__(self) -> None:
        self._tokens: dict[str, tuple[TokenOwner, int]] = {}
        self.disabled: set[str] = set()
        """Apps."""

    async def add(self, token_hash: str, app_id: str, account_id: str, expires: int) -> None:
        self._tokens[token_hash] = (TokenOwner(app_id, account_id), expires)

    def issue(
        self, token: str, account_id: str, expires: int = 10**18, app_id: str = "app1"
    ) -> str:
        digest = hashlib.sha256(token.encode()).hexdigest()
        self._tokens[digest] = (TokenOwner(app_id, account_id), expires)
        return token

    async def app_good(self, app_id: str) -> bool:
        return app_id not in self.disabled

    async def owner(self, token_hash: str, now: int) -> TokenOwner | None:
        owner, expires = self._tokens.get(token_hash, (None, 0))
        return owner if now < expires else None


class FakeKeys:
    """Stands for ``/v1``: `admit`, `refuse`, `read`, `told` and `still_good` of ``LiveDeps``."""

    def __init__(self) -> None:
        scopes = frozenset({"events:read"})
        key = ApiKey("key1", ACCOUNT, "a key", scopes, ())
        self.keys = {"Bearer tlk_k": key}

    async def admit(self, scope: Scope, required: str) -> ApiKey:
        sent = header(scope, b"authorization")
        if sent is None:
            raise Refused("key_missing", "No key was sent.")
        if sent not in self.keys:
            raise Refused("key_invalid", "The key is not good.")
        if required not in self.keys[sent].scopes:
            raise Refused("scope_missing", f"The key has no scope {required}.")
        return self.keys[sent]

    async def refuse(self, scope: Scope, send: Send, refused: Refused) -> None:
        body = msgspec.json.encode({"code": refused.code, "detail": refused.detail})
        status = {"key_missing": 401, "key_invalid": 401, "scope_missing": 403}
        status |= {"method_not_allowed": 405, "rate_limited": 429, "unavailable": 503}
        headers = [(b"content-type", b"application/problem+json")]
        start = {"status": status.get(refused.code, 400), "headers": headers}
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": body})

    def read(self, scope: Scope) -> tuple[tuple[Binding, ...], int | None]:
        query = parse_qs(scope["query_string"].decode("ascii"))
        types = [each for text in query.get("types", ["#"]) for each in text.split(",")]
        try:
            bindings = tuple(parse(each) for each in types)
        except BindingInvalid as error:
            raise Refused("parameters_invalid", str(error)) from None
        after = header(scope, b"last-event-id") or query.get("after", [""])[0]
        return bindings, int(after) if after else None

    def told(self, scope: Scope) -> Headers:
        return ((b"x-request-id", b"request-1"), (b"ratelimit", b'"second";r=99;t=1'))

    async def still_good(self, key: ApiKey) -> bool:
        return key in self.keys.values()


class Phones:
    """Makes things happen: stores events and publishes them, as the product does."""

    def __init__(self, events: FakeEvents, bus: LocalBus) -> None:
        self.events, self.bus = events, bus

    def store(
        self, name: str, subject: str = "leg1", account: str = "", category: str = "call"
    ) -> StoredEvent:
        """Committed, but not yet on the bus."""
        body = {
            "Event-Category": "call_event",
            "Event-Name": name,
            "Call-ID": subject,
            "Custom-Channel-Vars": {"Account-ID": account or ACCOUNT, "Username": "hồng"},
        }
        said = Announcement(account or ACCOUNT, category, name, subject, 1, body)
        return self.events.store(said)

    def say(
        self, name: str, subject: str = "leg1", account: str = "", category: str = "call"
    ) -> StoredEvent:
        """Stored and published."""
        event = self.store(name, subject, account, category)
        self.bus.publish([event])
        return event


ACCOUNT = "a" * 32
OTHER = "b" * 32
TOKEN = "0123456789abcdef" * 2
OTHER_TOKEN = "fedcba9876543210" * 2
