"""An in-memory event log and token store that keep the ports' promises."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from trunkline.bus.local import LocalBus
from trunkline.calls.record import Announcement, StoredEvent


class FakeEvents:
    """``db.port.Events`` in memory; ``forget`` plays the retention."""

    def __init__(self) -> None:
        self._logs: dict[str, list[StoredEvent]] = defaultdict(list)
        self._counts: dict[str, int] = defaultdict(int)
        self.reads = 0

    def after(self, account_id: str, seq: int, limit: int) -> list[StoredEvent]:
        self.reads += 1
        return [event for event in self._logs[account_id] if event.seq > seq][:limit]

    def bounds(self, account_id: str) -> tuple[int, int]:
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

    def device_states(self) -> dict[str, bool]:
        return {}


class FakeTokens:
    """``db.port.Tokens`` in memory."""

    def __init__(self) -> None:
        self._tokens: dict[str, tuple[str, int]] = {}

    async def add(self, token_hash: str, app_id: str, account_id: str, expires: int) -> None:
        self._tokens[token_hash] = (account_id, expires)

    def issue(self, token: str, account_id: str, expires: int = 10**18) -> str:
        self._tokens[hashlib.sha256(token.encode()).hexdigest()] = (account_id, expires)
        return token

    def account(self, token_hash: str, now: int) -> str | None:
        account_id, expires = self._tokens.get(token_hash, (None, 0))
        return account_id if now < expires else None


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
