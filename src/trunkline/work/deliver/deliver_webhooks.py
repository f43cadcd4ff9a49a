"""Deliver webhooks: each pending delivery is posted when it is due, again and again until it is done.

The database is the queue. A delivery that is under way when the process dies is still pending, and the
next process posts it again: at least once, under the same id and with the same body. Only the first
pending delivery of a lane is ever due, so the events of a call arrive in their order.

One process at a time works on a database (the data directory's lock), so nothing is claimed: this
process' memory alone knows what is under way.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import Counter
from collections.abc import Callable

import msgspec
import structlog

from trunkline.bus.port import Bus
from trunkline.calls.times import SECOND
from trunkline.delivery.verdict import RetryPolicy, Verdict, decide
from trunkline.delivery.webhook import Attempt, Delivery, Webhook, message_id
from trunkline.events.of_webhook import webhook_stopped
from trunkline.events.stored import Announcement
from trunkline.store.ports.database import Database, DatabaseUnavailable
from trunkline.store.ports.webhooks import Concluded
from trunkline.webhooks.port import Post
from trunkline.webhooks.sign import signed_headers
from trunkline.work.deliver.examine_events import ExamineEvents
from trunkline.work.deliver.webhook_request import body_of, named
from trunkline.work.deliver.webhook_turns import Turns
from trunkline.work.keep_trying import insisting

log = structlog.get_logger()

_PAUSE = 2 * SECOND
"""The pause after something unforeseen, before the same endpoint is looked at again."""
_LONGEST_SLEEP = 60.0
"""Seconds. ``next_at`` is of the wall clock, which may be set; sleep goes by another clock."""


class DeliveryLimits(msgspec.Struct, frozen=True):
    """How many deliveries may be under way: to an endpoint, and in all; and how many pending for one."""

    each: int = 8
    all: int = 64
    pending: int = 10_000


class DeliveryCounts(msgspec.Struct):
    """What was done since the process started."""

    attempts: Counter[str] = msgspec.field(default_factory=Counter)
    """By result: ``2xx`` … ``5xx``, or ``error`` where no answer came."""
    delivered: int = 0
    failed: int = 0


class DeliverWebhooks:
    """The verb: ``await deliver.run()`` until it is cancelled.

    ``clock`` gives unix microseconds, ``message_ids`` the next ``Msg-ID`` for a time.
    """

    def __init__(
        self,
        db: Database,
        bus: Bus,
        post: Post,
        clock: Callable[[], int],
        message_ids: Callable[[int], int],
        policy: RetryPolicy | None = None,
        limits: DeliveryLimits | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._db, self._bus, self._post, self._clock = db, bus, post, clock
        self._message_ids = message_ids
        self._policy = policy or RetryPolicy()
        self._limits = limits or DeliveryLimits()
        self._chance = chance
        self._turns = Turns(self._limits.all)
        self._examine = ExamineEvents(db, clock, self._queued, self._limits.pending)
        self._under_way: dict[str, set[int]] = {}
        self._failing: set[str] = set()
        self._alarms: list[tuple[int, str, str]] = []
        self._set_for: dict[str, int] = {}
        self._awake = asyncio.Event()
        self.tally = DeliveryCounts()

    async def run(self) -> None:
        stop_listening = self._bus.listen(self._examine.heard, self._examine.wants)
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._begin()
                tasks.create_task(self._examine.run())
                tasks.create_task(self._dispatch(tasks))
        finally:
            stop_listening()

    async def _begin(self) -> None:
        """The database may be away for now; all that has changed meanwhile is looked at once it is back."""
        async for attempt in insisting():
            with attempt:
                await self.refresh()

    async def refresh(self) -> None:
        """Somebody else has changed endpoints, accounts or deliveries: look at them all."""
        await self._examine.refresh()
        for account_id in self._examine.accounts:
            for webhook in await self._db.webhooks.active(account_id):
                self._queued(account_id, webhook.id)

    # ---- Who is next ----

    def _queued(self, account_id: str, webhook_id: str) -> None:
        self._turns.wait(account_id, webhook_id, webhook_id in self._failing)
        self._awake.set()

    async def _dispatch(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            self._awake.clear()
            self._take_due_alarms()
            while (turn := self._turns.next()) is not None:
                await self._serve(tasks, *turn)
                await asyncio.sleep(0)  # let others run between two deliveries
            await self._until_something_is_due()

    async def _serve(self, tasks: asyncio.TaskGroup, account_id: str, webhook_id: str) -> None:
        try:
            webhook = await self._db.webhooks.get(webhook_id)
            delivery = await self._next_delivery(webhook) if webhook else None
        except Exception as error:
            log.warning("webhook.not_looked_at", webhook_id=webhook_id, error=repr(error))
            self._alarm(account_id, webhook_id, self._clock() + _PAUSE)
            return
        if webhook is None or delivery is None:
            return
        self._under_way.setdefault(webhook_id, set()).add(delivery.id)
        self._note_failing(webhook_id, webhook.failures > 0)
        self._turns.begin(account_id, webhook.failures > 0)
        self._queued(account_id, webhook_id)  # it may have more
        tasks.create_task(self._deliver(webhook, delivery))

    def _note_failing(self, webhook_id: str, failing: bool) -> None:
        (self._failing.add if failing else self._failing.discard)(webhook_id)

    async def _next_delivery(self, webhook: Webhook) -> Delivery | None:
        """What to send to the endpoint now; sets the alarm where there is something to send later."""
        if webhook.state != "enabled" or webhook.account_id not in self._examine.accounts:
            return None
        under_way = frozenset(self._under_way.get(webhook.id, ()))  # some may end meanwhile
        if len(under_way) >= (1 if webhook.failures else self._limits.each):
            return None  # the end of one of these asks again
        now = self._clock()
        if webhook.not_before > now:
            self._alarm(webhook.account_id, webhook.id, webhook.not_before)
            return None
        for delivery in await self._db.deliveries.due(webhook.id, now, len(under_way) + 1):
            if delivery.id not in under_way:
                return delivery
        later = await self._db.deliveries.next_at(webhook.id, now)
        if later is not None:
            self._alarm(webhook.account_id, webhook.id, later)
        return None

    # ---- When to look again ----

    def _alarm(self, account_id: str, webhook_id: str, at: int) -> None:
        """Only the earliest alarm of an endpoint is kept."""
        if self._set_for.get(webhook_id, at + 1) > at:
            self._set_for[webhook_id] = at
            heapq.heappush(self._alarms, (at, account_id, webhook_id))

    def _take_due_alarms(self) -> None:
        now = self._clock()
        while self._alarms and self._alarms[0][0] <= now:
            at, account_id, webhook_id = heapq.heappop(self._alarms)
            if self._set_for.get(webhook_id) == at:
                del self._set_for[webhook_id]
                self._turns.wait(account_id, webhook_id, webhook_id in self._failing)

    async def _until_something_is_due(self) -> None:
        wait = _LONGEST_SLEEP
        if self._alarms:
            wait = min(wait, max(0.0, (self._alarms[0][0] - self._clock()) / SECOND))
        try:
            async with asyncio.timeout(wait):
                await self._awake.wait()
        except TimeoutError:
            return

    # ---- One delivery ----

    async def _deliver(self, webhook: Webhook, delivery: Delivery) -> None:
        try:
            await self._attempt(webhook, delivery)
        except Exception as error:
            said = None if isinstance(error, DatabaseUnavailable) else error
            more = {"delivery_id": delivery.id, **named(webhook)}
            log.warning("webhook.not_delivered", error=repr(error), exc_info=said, **more)
            await asyncio.sleep(_PAUSE / SECOND)
        finally:
            self._turns.end(webhook.account_id, webhook.failures > 0)
            self._under_way[webhook.id].discard(delivery.id)
            if not self._under_way[webhook.id]:
                del self._under_way[webhook.id]
            self._examine.sent(webhook.account_id, webhook.id)
            self._queued(webhook.account_id, webhook.id)

    async def _attempt(self, webhook: Webhook, delivery: Delivery) -> None:
        body = await body_of(self._db.events, delivery)
        if body is None:
            oldest, _ = await self._db.events.bounds(webhook.account_id)
            if not await self._db.deliveries.lost(webhook.id, oldest, self._clock()):
                raise LookupError(f"event {delivery.seq} is not in the log")
            return
        now = self._clock()
        secrets = await self._db.webhooks.secrets(webhook.id, now)
        if not secrets:
            return  # it has just been deleted
        headers = signed_headers(message_id(webhook.account_id, delivery), now, body, secrets)
        attempt = await self._post(webhook.url, headers, body)
        self._report(webhook, delivery, attempt, await self._concluded(delivery, attempt))

    async def _concluded(self, delivery: Delivery, attempt: Attempt) -> Concluded | None:
        chance, msg_id = self._chance(), self._message_ids(attempt.ended_at)

        def judge(webhook: Webhook, delivery: Delivery) -> Verdict:
            return decide(webhook, delivery, attempt, self._policy, chance)

        def announce(webhook: Webhook, verdict: Verdict, taken: int) -> Announcement:
            return _stopped(webhook, verdict, attempt, taken, msg_id)

        async for each in insisting():
            with each:
                return await self._db.deliveries.concluded(delivery.id, attempt, judge, announce)
        return None

    def _report(
        self, webhook: Webhook, delivery: Delivery, attempt: Attempt, ended: Concluded | None
    ) -> None:
        self.tally.attempts[_result(attempt)] += 1
        self._note_failing(webhook.id, not attempt.success)
        if ended is None:
            return
        self.tally.delivered += ended.verdict.state == "delivered"
        self.tally.failed += ended.verdict.state == "failed"
        if ended.event is not None:
            self._bus.publish([ended.event])
            reason, stop = ended.verdict.reason, ended.verdict.stop
            log.warning("webhook.stopped", state=stop, reason=reason, **named(webhook))
        elif ended.verdict.state == "failed":
            log.warning("webhook.gave_up", delivery_id=delivery.id, **named(webhook))


def _stopped(
    webhook: Webhook, verdict: Verdict, attempt: Attempt, taken: int, msg_id: int
) -> Announcement:
    return webhook_stopped(
        webhook.account_id,
        webhook.id,
        webhook.url,
        "disabled" if verdict.stop == "disabled" else "suspended",
        reason=verdict.reason,
        last_status=attempt.status,
        stopped_after=taken,
        at=attempt.ended_at,
        msg_id=msg_id,
    )


def _result(attempt: Attempt) -> str:
    return "error" if attempt.status is None else f"{attempt.status // 100}xx"
