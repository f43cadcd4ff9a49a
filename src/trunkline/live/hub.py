"""The hub: which connection gets which event, whatever the transport, with neither gap nor repeat.

Subscriptions are grouped by account and binding, so an event is matched once for each distinct
binding, never once for each subscriber. All of it runs in the event loop's thread.

How ``after`` joins the live stream: events are stored before they come over the bus, so a replay
needs no copy of what arrives meanwhile. It reads on from the database until it has reached the
newest number that the bus has brought, and goes live in that same step; numbers that it was ahead
of the bus are known by each subscription's ``last``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from trunkline.calls.record import StoredEvent
from trunkline.db.port import Events
from trunkline.live.bindings import Binding, RoutingKey
from trunkline.live.deps import LiveLimits
from trunkline.live.wire import Wire, gap

log = structlog.get_logger()


class TooManySubscriptions(Exception):
    """One more binding would pass the connection's limit."""


class Sink(Protocol):
    """A connection as the hub sees it: it only queues."""

    once: bool
    """An event that several bindings match is sent once (Socket.IO), or once for each (Kazoo)."""

    def send(self, wire: Wire, binding: Binding) -> None:
        """Queue an event; never blocks. Past its limit the connection closes itself."""

    def crowded(self) -> bool:
        """Is so much queued that a replay should wait?"""

    async def room(self) -> None:
        """Return once the connection is not crowded."""

    def replay_failed(self) -> None:
        """The log could not be read: close, so that the client comes back and resumes."""


@dataclass(eq=False, slots=True)
class Subscription:
    """A binding on a connection; of its matches, those in (start, last] have been queued.

    ``until`` is set on a replay of what came before a binding that the connection already had.
    """

    feed: Feed
    binding: Binding
    start: int
    last: int
    until: int | None = None

    def wants(self, seq: int, key: RoutingKey) -> bool:
        """Is this the subscription's next event, and does it match?"""
        due = self.last < seq and (self.until is None or seq <= self.until)
        return due and self.binding.matches(key)

    def had(self, seq: int, key: RoutingKey) -> bool:
        """Has this event been queued for it?"""
        return self.start < seq <= self.last and self.binding.matches(key)

    def examined(self, seq: int) -> None:
        """All up to ``seq`` has been looked at."""
        self.last = max(self.last, seq if self.until is None else min(seq, self.until))


class Account:
    """The subscriptions to one account's events; ``head`` is the newest number handed out."""

    def __init__(self, account_id: str, events: Events) -> None:
        self.id = account_id
        self.events = events
        self.head = events.bounds(account_id)[1]
        self._exact: dict[tuple[str, ...], dict[Subscription, None]] = {}
        self._wild: dict[tuple[str, ...], dict[Subscription, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._exact or self._wild)

    def add(self, subscription: Subscription) -> None:
        """Put the subscription into its binding's group."""
        groups = self._groups(subscription)
        groups.setdefault(subscription.binding.segments, {})[subscription] = None

    def remove(self, subscription: Subscription) -> None:
        """Take it out again."""
        groups, segments = self._groups(subscription), subscription.binding.segments
        groups[segments].pop(subscription)
        if not groups[segments]:
            del groups[segments]

    def take(self, event: StoredEvent) -> None:
        """Hand out the bus's next event: a number seen before is dropped, a hole is filled."""
        if event.seq > self.head + 1:
            for missed in self.events.after(self.id, self.head, event.seq - self.head - 1):
                self._hand_out(missed)
        self._hand_out(event)

    def _hand_out(self, event: StoredEvent) -> None:
        if event.seq <= self.head:
            return
        self.head = event.seq
        wire = Wire(event)
        for subscription in [*self._interested(wire.key)]:
            subscription.feed.take(subscription, wire)

    def _interested(self, key: RoutingKey) -> Iterator[Subscription]:
        yield from self._exact.get(key, ())
        for group in self._wild.values():
            if next(iter(group)).binding.matches(key):
                yield from group

    def _groups(
        self, subscription: Subscription
    ) -> dict[tuple[str, ...], dict[Subscription, None]]:
        return self._exact if subscription.binding.exact else self._wild


class Feed:
    """One connection's view of one account: live, or replaying until it is."""

    def __init__(self, client: Client, account: Account) -> None:
        self.client = client
        self.account = account
        self.subscriptions: dict[str, Subscription] = {}
        self._earlier: list[Subscription] = []
        self._replay: asyncio.Task[None] | None = None
        self._sent = 0

    def add(self, binding: Binding, after: int | None) -> None:
        """Subscribe, from now on or from number ``after`` on; a known binding is not doubled."""
        known, start = self.subscriptions.get(binding.text), self._start(after)
        if known and (after is None or start >= known.start):
            return
        if known or start < self.account.head:
            self._start_replay()
        if known:
            self._earlier.append(Subscription(self, binding, start, start, until=known.start))
        else:
            self._join(Subscription(self, binding, start, start))

    def remove(self, text: str) -> None:
        """End one subscription, and its replay."""
        subscription = self.subscriptions.pop(text)
        self._earlier = [job for job in self._earlier if job.binding.text != text]
        self.account.remove(subscription)

    def close(self) -> None:
        """End all of them."""
        if self._replay:
            self._replay.cancel()
        for text in tuple(self.subscriptions):
            self.remove(text)

    def oldest_start(self) -> int:
        """What a reader who has got nothing yet has to resume from."""
        return min(subscription.start for subscription in self.subscriptions.values())

    def take(self, subscription: Subscription, wire: Wire) -> None:
        """Queue a live event, unless a replay is on: that one will come to it."""
        seq = wire.event.seq
        once = self.client.sink.once
        if self._replay or seq <= subscription.last or (once and seq <= self._sent):
            return
        subscription.last = self._sent = seq
        self.client.sink.send(wire, subscription.binding)

    def _start(self, after: int | None) -> int:
        head = self.account.head
        if after is None:
            return head
        return min(after, max(head, self.account.events.bounds(self.account.id)[1]))

    def _join(self, subscription: Subscription) -> None:
        self.subscriptions[subscription.binding.text] = subscription
        self.account.add(subscription)

    def _start_replay(self) -> None:
        if self._replay:
            return
        for subscription in self.subscriptions.values():
            subscription.examined(self.account.head)
        self._replay = asyncio.create_task(self._replay_all())

    async def _replay_all(self) -> None:
        try:
            await asyncio.sleep(self.client.limits.gather_seconds)
            while self._replay_some():
                await self.client.sink.room()
                await asyncio.sleep(0)
        except Exception:
            log.exception("live.replay_failed", account_id=self.account.id)
            self.client.sink.replay_failed()
        finally:
            self._replay = None

    def _replay_some(self) -> bool:
        """Queue a stretch of the log; False once the feed is live, in this very step."""
        jobs = [*self.subscriptions.values(), *self._earlier]
        cursor = min((job.last for job in jobs), default=self.account.head)
        limit = self.client.limits.replay_chunk
        chunk = self.account.events.after(self.account.id, cursor, limit)
        reached = self._skip_lost(jobs, cursor, chunk)
        for event in chunk:
            self._replay_event(jobs, Wire(event))
            reached = event.seq
            if self.client.sink.crowded():
                break
        self._examined(jobs, reached)
        if reached < self.account.head or self._earlier:
            return True
        self._replay = None
        return False

    def _skip_lost(
        self, jobs: Sequence[Subscription], cursor: int, chunk: Sequence[StoredEvent]
    ) -> int:
        end = max([self.account.head, *(job.until or job.last for job in jobs)])
        last = chunk[0].seq - 1 if chunk else end
        if last > cursor:
            behind = next(job for job in jobs if job.last == cursor)
            self.client.sink.send(gap(self.account.id, cursor + 1, last), behind.binding)
        return last

    def _replay_event(self, jobs: Sequence[Subscription], wire: Wire) -> None:
        sink, seq = self.client.sink, wire.event.seq
        due = [job for job in jobs if job.wants(seq, wire.key)]
        if not sink.once:
            for job in due:
                sink.send(wire, job.binding)
        elif due and not any(job.had(seq, wire.key) for job in jobs):
            sink.send(wire, due[0].binding)

    def _examined(self, jobs: Sequence[Subscription], reached: int) -> None:
        for job in jobs:
            job.examined(reached)
        for job in [job for job in self._earlier if job.until == job.last]:
            self._earlier.remove(job)
            whole = self.subscriptions[job.binding.text]
            whole.start = min(whole.start, job.start)


class Client:
    """A connection's subscriptions, to any number of accounts."""

    def __init__(self, hub: Hub, sink: Sink) -> None:
        self._hub = hub
        self._feeds: dict[str, Feed] = {}
        self.sink = sink
        self.limits = hub.limits

    def subscriptions(self) -> list[str]:
        """The bindings as they were written, oldest first."""
        return [text for feed in self._feeds.values() for text in feed.subscriptions]

    def subscribe(self, account_id: str, bindings: Sequence[Binding], after: int | None) -> None:
        """Add the bindings, all or none; raises TooManySubscriptions."""
        feed = self._feeds.get(account_id)
        known = feed.subscriptions if feed else {}
        new = {binding.text for binding in bindings} - known.keys()
        if len(self.subscriptions()) + len(new) > self.limits.subscriptions:
            raise TooManySubscriptions
        if feed is None and bindings:
            feed = self._feeds[account_id] = Feed(self, self._hub.account(account_id))
        for binding in bindings:
            assert feed is not None
            feed.add(binding, after)

    def unsubscribe(self, texts: Sequence[str] | None) -> list[str]:
        """End these bindings, or all (None); gives those that there were."""
        ended = [text for text in self.subscriptions() if texts is None or text in texts]
        for account_id, feed in tuple(self._feeds.items()):
            for text in [text for text in feed.subscriptions if text in ended]:
                feed.remove(text)
            if not feed.subscriptions:
                self._close(account_id)
        return ended

    def starts(self) -> dict[str, int]:
        """For each account, the number that the oldest subscription began after."""
        return {account_id: feed.oldest_start() for account_id, feed in self._feeds.items()}

    def close(self) -> None:
        """End all subscriptions; costs by their number, whoever else is connected."""
        for account_id in tuple(self._feeds):
            self._close(account_id)

    def _close(self, account_id: str) -> None:
        self._feeds.pop(account_id).close()
        self._hub.forget_if_idle(account_id)


class Hub:
    """All clients of all transports. ``deliver`` is the bus's listener; it never raises."""

    def __init__(self, events: Events, limits: LiveLimits) -> None:
        self._events = events
        self._accounts: dict[str, Account] = {}
        self.limits = limits

    def client(self, sink: Sink) -> Client:
        """A new connection; close it when it ends."""
        return Client(self, sink)

    def account(self, account_id: str) -> Account:
        """The account's groups."""
        if account_id not in self._accounts:
            self._accounts[account_id] = Account(account_id, self._events)
        return self._accounts[account_id]

    def forget_if_idle(self, account_id: str) -> None:
        """Drop the groups of an account that nobody subscribes to."""
        account = self._accounts.get(account_id)
        if account is not None and not account:
            del self._accounts[account_id]

    def deliver(self, events: Sequence[StoredEvent]) -> None:
        """Hand committed events to those who want them."""
        for event in events:
            account = self._accounts.get(event.account_id)
            if account is None:
                continue
            try:
                account.take(event)
            except Exception:
                log.exception("live.delivery_failed", account_id=event.account_id, seq=event.seq)


def resume_after(starts: Mapping[str, int], written: Mapping[str, int]) -> int:
    """The number that a cut-off client may pass as ``after`` without missing anything."""
    return min((written.get(account, start) for account, start in starts.items()), default=0)
