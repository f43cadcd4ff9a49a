"""The hub: which connection gets which event, whatever the transport.

All of it runs in the event loop's thread. See `trunkline.live.hub.feed` for how a connection misses
nothing, and `trunkline.live.hub.groups` for why one more subscriber costs one more write.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from time import monotonic

import structlog

from trunkline.events.bindings import Binding
from trunkline.events.stored import StoredEvent
from trunkline.live.hub.account import AccountEvents
from trunkline.live.hub.app_checks import AppChecks
from trunkline.live.hub.connection import Connection
from trunkline.live.hub.feed import Feed
from trunkline.live.hub.subscription import Subscription
from trunkline.live.hub.usage import TooManySubscriptions, Usage
from trunkline.live.limits import LiveLimits
from trunkline.store.ports.database import Events

log = structlog.get_logger()


class Client:
    """A connection's subscriptions, to any number of accounts."""

    __slots__ = (
        "_app",
        "_closed",
        "_congested_at",
        "_congested_for",
        "_feeds",
        "_hub",
        "_is_cut",
        "_is_held",
        "clock",
        "connection",
        "is_congested",
        "limits",
    )

    def __init__(self, hub: Hub, connection: Connection) -> None:
        self._hub = hub
        self._feeds: dict[str, Feed] = {}
        self.connection = connection
        self.limits = hub.limits
        self.clock = hub.clock
        self.is_congested = False
        self._app = ""
        self._congested_at = 0.0
        self._congested_for: str | None = None
        self._closed = self._is_cut = self._is_held = False

    def __len__(self) -> int:
        return sum(len(feed.subscriptions) for feed in self._feeds.values())

    def subscriptions(self) -> list[str]:
        """The bindings as they were written, oldest first."""
        return [text for feed in self._feeds.values() for text in feed.subscriptions]

    async def subscribe(
        self, account_id: str, bindings: Sequence[Binding], after: int | None, app_id: str = ""
    ) -> None:
        """Add the bindings (one or more) for an app, all or none; raises TooManySubscriptions.

        A client that was closed meanwhile has none.
        """
        account, start = await self._hub.start(account_id, after)
        try:
            if not self._closed:
                self._subscribe(account, bindings, start, app_id)
        finally:
            self._hub.forget_if_idle(account_id)

    def _subscribe(
        self, account: AccountEvents, bindings: Sequence[Binding], start: int | None, app_id: str
    ) -> None:
        self._app = self._app or app_id
        account_id = account.id
        feed = self._feeds.get(account_id)
        new = {each.text for each in bindings} - (feed.subscriptions.keys() if feed else set())
        if len(self) + len(new) > self.limits.subscriptions:
            most = self.limits.subscriptions
            raise TooManySubscriptions(f"too many subscriptions: at most {most} on one connection")
        self._hub.usage.check_subscriptions(app_id, len(new))
        if feed is None:
            feed = self._feeds[account_id] = Feed(self, account)
        for binding in bindings:
            feed.add(binding, start, app_id)
        for _ in new:
            self._hub.usage.subscribed(app_id)

    def unsubscribe(self, texts: Collection[str] | None) -> list[str]:
        """End these bindings, or all (None); returns those that there were."""
        ended = [text for text in self.subscriptions() if texts is None or text in texts]
        over = frozenset(ended)
        for account_id, feed in tuple(self._feeds.items()):
            here = [text for text in feed.subscriptions if text in over]
            if len(here) == len(feed.subscriptions):
                self._close(account_id)
            else:
                self._uncount([feed.remove(text) for text in here])
        return ended

    def resume_after(self) -> int | None:
        """The number that the client may pass as ``after`` and miss nothing; None: no bindings."""
        return min((feed.reached() for feed in self._feeds.values()), default=None)

    def rewired(self) -> None:
        """``connection.encoding`` or ``connection.write`` has changed."""
        for feed in self._feeds.values():
            feed.rewire()

    def congested(self) -> None:
        """The peer does not take what is written: check at every event how much waits."""
        if not self.is_congested:
            self._congested_at = monotonic()
        self.is_congested = True
        if self._congested_for is None and not self._closed:
            self._congested_for = self._app
            self._hub.usage.congested(self._app, 1)
        self._settle()

    def flowing(self) -> None:
        self.is_congested = self._is_held = False
        self.gone()
        self._settle()

    def gone(self) -> None:
        """Nothing waits for it any more; of one that fell behind, its connection says so at its end."""
        app, self._congested_for = self._congested_for, None
        if app is not None:
            self._hub.usage.congested(app, -1)

    def check(self) -> None:
        if not self.is_congested:
            return
        if self.connection.buffered() > self._hub.usage.may_wait(self._app):
            self._hold()
        if self._is_held and monotonic() - self._congested_at >= self.limits.behind_seconds:
            self._cut()

    def _hold(self) -> None:
        self._is_held = True
        for feed in self._feeds.values():
            feed.hold()

    def _cut(self) -> None:
        resume = self.resume_after()
        self._is_cut = resume is not None
        self.close()
        if resume is not None:
            self.connection.fell_behind(resume)

    def close(self) -> None:
        """End all subscriptions; the cost grows with their number, not with who else is connected."""
        self._closed = True
        if not self._is_cut:
            self.gone()
        for account_id in tuple(self._feeds):
            self._close(account_id)

    def _settle(self) -> None:
        for feed in self._feeds.values():
            feed.settle()

    def _close(self, account_id: str) -> None:
        self._uncount(self._feeds.pop(account_id).close())
        self._hub.forget_if_idle(account_id)

    def _uncount(self, ended: Sequence[Subscription]) -> None:
        for subscription in ended:
            self._hub.usage.unsubscribed(subscription.app_id)


class Hub:
    """All clients of all transports. ``deliver`` is the bus's listener; it never raises.

    ``clock`` gives unix microseconds.
    """

    def __init__(
        self,
        events: Events,
        limits: LiveLimits,
        usage: Usage,
        clock: Callable[[], int],
        app_checks: AppChecks,
    ) -> None:
        self._events = events
        self.app_checks = app_checks
        self._accounts: dict[str, AccountEvents] = {}
        self.limits = limits
        self.usage = usage
        self.clock = clock

    def client(self, connection: Connection) -> Client:
        """A new connection; close it when it ends."""
        return Client(self, connection)

    def wants(self, account_id: str) -> bool:
        """Is anybody subscribed to the account's events, or about to be?"""
        return account_id in self._accounts

    async def start(self, account_id: str, after: int | None) -> tuple[AccountEvents, int | None]:
        """The account, and ``after`` as its log has it (`AccountEvents.start`).

        The caller subscribes, or calls `forget_if_idle`, before it waits for anything else. What
        the log raises leaves no trace.
        """
        account = self._accounts.get(account_id)
        if account is None:
            # Known before its log is read: what is committed after that comes over the bus.
            account = self._accounts[account_id] = AccountEvents(account_id, self._events)
        account.users += 1
        try:
            await account.open()
            start = None if after is None else await account.start(after)
        except BaseException:
            account.users -= 1
            self.forget_if_idle(account_id)
            raise
        account.users -= 1
        return account, start

    def forget_if_idle(self, account_id: str) -> None:
        account = self._accounts.get(account_id)
        if account is not None and not account.groups and not account.users:
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
