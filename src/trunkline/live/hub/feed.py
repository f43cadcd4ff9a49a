"""One connection's view of one account's events, with neither gap nor repeat.

A feed is *fast* while each event that matches goes to it just once and at once: then its account
knows nothing of it but a function to call. It is *slow*, and looked at with each event, while it
replays, while its connection is congested, while two of its bindings could bring the same event to a
connection that wants it once, and while a replay is ahead of the bus.

How ``after`` joins the live stream: events are stored before they come over the bus, so a replay
needs no copy of what arrives meanwhile. It reads on from the database until it has reached the
newest number that the bus has brought, and goes live in that same step; numbers that it was ahead
of the bus are known by each subscription's ``last``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from trunkline.events.bindings import Binding, overlaps
from trunkline.live.hub.account import AccountEvents
from trunkline.live.hub.connection import Subscriber
from trunkline.live.hub.groups import SubscriberGroup
from trunkline.live.hub.subscription import Subscription
from trunkline.live.hub.wire import Encoding, Wire, gap

log = structlog.get_logger()


class Feed:
    """One connection's subscriptions to one account."""

    __slots__ = (
        "_ahead",
        "_earlier",
        "_fast",
        "_meetings",
        "_replay",
        "_sent",
        "account",
        "closed",
        "subscriber",
        "subscriptions",
    )

    def __init__(self, subscriber: Subscriber, account: AccountEvents) -> None:
        self.subscriber = subscriber
        self.account = account
        self.subscriptions: dict[str, Subscription] = {}
        self.closed = False
        self._earlier: list[Subscription] = []
        self._replay: asyncio.Task[None] | None = None
        self._fast: Encoding | None = None
        self._sent = 0
        self._ahead = 0
        self._meetings = 0

    def add(self, binding: Binding, after: int | None, app_id: str) -> None:
        """Subscribe, from now on or from number ``after`` on (see `AccountEvents.start`).

        A binding that is there already is not doubled.
        """
        since = self._since(binding.text)
        if since is not None and (after is None or after >= since):
            return
        start = self.account.head if after is None else after
        if since is not None or start < self.account.head:
            self._start_replay()
        if since is not None:
            self._earlier.append(Subscription(self, binding, app_id, start, start, until=since))
        else:
            self._join(Subscription(self, binding, app_id, start, start))
        self.settle()

    def remove(self, text: str) -> Subscription:
        subscription = self.subscriptions.pop(text)
        self._earlier = [job for job in self._earlier if job.binding.text != text]
        self._take_out(subscription)
        self._meetings -= self._met_by(subscription.binding)
        self.settle()
        return subscription

    def close(self) -> list[Subscription]:
        """End all subscriptions; returns them."""
        self.closed = True
        if self._replay:
            self._replay.cancel()
        ended = [*self.subscriptions.values()]
        for subscription in ended:
            self._take_out(subscription)
        self.subscriptions.clear()
        self._earlier.clear()
        return ended

    def reached(self) -> int:
        """The number up to which nothing is missing: what a client may resume after."""
        if self._replay:
            return min(job.last for job in self._jobs() if not job.is_done)
        return max(self.account.head, min(each.last for each in self.subscriptions.values()))

    def take(self, subscription: Subscription, wire: Wire) -> None:
        """Hand on a live event, unless a replay is on: that one will come to it."""
        connection, seq = self.subscriber.connection, wire.event.seq
        if self.closed or self._replay or seq <= subscription.last:
            return
        if connection.once and self._had(wire):
            return
        subscription.last = self._sent = seq
        self._write(wire, subscription.binding)

    def taken(self) -> None:
        self.subscriber.check()
        self.settle()

    def hold(self) -> None:
        """Write nothing until there is room: what comes meanwhile is read from the log then.

        Events may come faster than anybody can read, as after an outage of the database.
        """
        if not self.closed:
            self._start_replay()

    def write_failed(self) -> None:
        """Close the connection: it misses an event, and is to come back and resume."""
        self.subscriber.connection.failed()

    def settle(self) -> None:
        """Change to the fast path or back to the slow one, whichever fits now."""
        may = not self.closed and self._may_be_fast()
        if may and self._fast is None:
            self._place(self.subscriber.connection.encoding)
        elif not may and self._fast is not None:
            self._examined_all()
            self._place(None)

    def rewire(self) -> None:
        """The connection's encoding or write has changed."""
        if self._fast is not None:
            self._place(None)
            self._place(self.subscriber.connection.encoding)

    def _had(self, wire: Wire) -> bool:
        """Did another binding bring it, live or in a replay that was ahead of the bus?"""
        seq = wire.event.seq
        if seq <= self._sent or seq > self._ahead:
            return seq <= self._sent
        return any(each.had(seq, wire.key) for each in self.subscriptions.values())

    def _since(self, text: str) -> int | None:
        """The number after which a binding has, or will have, brought all; None: not there."""
        known = self.subscriptions.get(text)
        if known is None:
            return None
        return min([known.start, *(job.start for job in self._earlier if job.binding.text == text)])

    def _jobs(self) -> list[Subscription]:
        return [*self.subscriptions.values(), *self._earlier]

    def _may_be_fast(self) -> bool:
        return not (
            self._replay
            or self.subscriber.is_congested
            or (self._meetings and self.subscriber.connection.once)
            or self._ahead > self.account.head
        )

    def _place(self, form: Encoding | None) -> None:
        for subscription in self.subscriptions.values():
            self._leave(subscription)
        self._fast = form
        for subscription in self.subscriptions.values():
            self._enter(subscription)

    def _enter(self, subscription: Subscription) -> None:
        group = self.account.groups.of(subscription.binding)
        if self._fast is None:
            group.slow[subscription] = None
        else:
            group.join(subscription, self._fast, self.subscriber.connection.write)

    def _leave(self, subscription: Subscription) -> SubscriberGroup[Subscription]:
        group = self.account.groups.of(subscription.binding)
        if self._fast is None:
            del group.slow[subscription]
        else:
            group.leave(subscription, self._fast)
        return group

    def _take_out(self, subscription: Subscription) -> None:
        self.account.groups.drop_if_empty(self._leave(subscription))

    def _join(self, subscription: Subscription) -> None:
        self._meetings += self._met_by(subscription.binding)
        self._ahead = max(self._ahead, subscription.last)
        self.subscriptions[subscription.binding.text] = subscription
        self._enter(subscription)

    def _met_by(self, binding: Binding) -> int:
        """How many of the other bindings could bring the same event; only who wants it once minds."""
        if not self.subscriber.connection.once:
            return 0
        return sum(overlaps(binding, each.binding) for each in self.subscriptions.values())

    def _start_replay(self) -> None:
        if not self._replay:
            self._examined_all()
            self._place(None)
            self._replay = asyncio.create_task(self._replay_all())

    def _examined_all(self) -> None:
        for subscription in self.subscriptions.values():
            subscription.examined(self.account.head)

    async def _replay_all(self) -> None:
        try:
            await asyncio.sleep(self.subscriber.limits.gather_seconds)
            await self.subscriber.connection.room()
            while await self._replay_some():
                await self.subscriber.connection.room()
                await asyncio.sleep(0)
        except Exception:
            log.exception("live.replay_failed", account_id=self.account.id)
            self.subscriber.connection.failed()
        finally:
            self._replay = None

    async def _replay_some(self) -> bool:
        """Hand out a stretch of the log; False once the feed is live, in this very step."""
        cursor, end = self._cursor(), self._end()
        limit = self.subscriber.limits.replay_chunk
        chunk = await self.account.events.after(self.account.id, cursor, limit)
        jobs = self._jobs()
        if cursor != self._cursor():
            return True  # a binding came or went meanwhile
        reached = self._skip_lost(jobs, cursor, chunk[0].seq - 1 if chunk else end)
        for event in chunk:
            self._replay_event(jobs, Wire(event))
            reached = event.seq
            if self.subscriber.is_congested:
                break
        self._examined(jobs, reached)
        if reached < self.account.head or self._earlier:
            return True
        self._go_live()
        return False

    def _cursor(self) -> int:
        """The number up to which every replay has come."""
        return min((job.last for job in self._jobs() if not job.is_done), default=self.account.head)

    def _end(self) -> int:
        """The number up to which the log must have been, or retention took what it lacks."""
        return max([self.account.head, *(job.until or job.last for job in self._jobs())])

    def _go_live(self) -> None:
        self._replay = None
        self._ahead = max((each.last for each in self.subscriptions.values()), default=0)
        self.settle()

    def _skip_lost(self, jobs: Sequence[Subscription], cursor: int, last: int) -> int:
        if last > cursor:
            behind = next(job for job in jobs if job.last == cursor and not job.is_done)
            self._write(
                gap(self.account.id, cursor + 1, last, self.subscriber.clock()), behind.binding
            )
        return last

    def _replay_event(self, jobs: Sequence[Subscription], wire: Wire) -> None:
        seq = wire.event.seq
        due = [job for job in jobs if job.wants(seq, wire.key)]
        if not self.subscriber.connection.once:
            for job in due:
                self._write(wire, job.binding)
        elif due and not any(job.had(seq, wire.key) for job in jobs):
            self._write(wire, due[0].binding)

    def _write(self, wire: Wire, binding: Binding) -> None:
        connection = self.subscriber.connection
        if self.closed:
            return
        try:
            connection.write(wire.frame(connection.encoding, binding))
        except Exception:
            log.exception("live.write_failed", account_id=self.account.id)
            connection.failed()

    def _examined(self, jobs: Sequence[Subscription], reached: int) -> None:
        for job in jobs:
            job.examined(reached)
        for job in sorted(self._earlier, key=lambda job: -job.start):
            whole = self.subscriptions[job.binding.text]
            if job.is_done and job.until == whole.start:
                whole.start = job.start
                self._earlier.remove(job)
