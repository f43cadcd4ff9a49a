"""Follow who gives wrong SIP passwords: the log tells of each address, and the device's account gets AUTH_FAILED."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from trunkline.bus.port import Bus
from trunkline.calls.times import rfc3339
from trunkline.engine.port import LoginFailed
from trunkline.events.message_ids import MessageIds
from trunkline.events.of_endpoint import auth_failed
from trunkline.events.state import DeviceState
from trunkline.store.ports.database import Database
from trunkline.work.failed_logins import WINDOW, FailedLogins
from trunkline.work.keep_trying import insisting
from trunkline.work.told_at_most import ToldAtMost

_EACH, _ALL, _KINDS = 1, 60, 1000
"""Events a window: for each device and address, for all devices of all accounts; and how many are counted apart.

When a window is over, so many are told of addresses again, and one of all others for each device."""
_LOOKS_EVERY = 1.0


class FollowLogins:
    """The verb. ``clock`` gives unix microseconds, ``monotonic`` seconds that only go on."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        message_ids: MessageIds,
        logins: FailedLogins,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self._db, self._bus, self._message_ids = db, bus, message_ids
        self._logins, self._clock, self._monotonic = logins, clock, monotonic
        self._events = ToldAtMost[tuple[str, str]](
            window=WINDOW,
            each=_EACH,
            in_all=_ALL,
            kinds=_KINDS,
            rest=lambda kind: (kind[0], ""),
            apart=_ALL,
        )

    async def run(self, told: AsyncIterator[list[LoginFailed]]) -> None:
        """Take in what the engine tells, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tell_held_in_time())
            async for some in told:
                for each in some:
                    await self.hear(each)

    async def hear(self, failed: LoginFailed) -> None:
        """Count it; the first one of an address and a device is an event at once."""
        self._logins.failed("sip", failed.address, failed.count, failed.device)
        if failed.device is None:
            return
        kind = (failed.device, failed.address)
        for count in self._events.now(kind, failed.count, self._monotonic()):
            await self._announce(*kind, count, failed.at)

    async def tell_held(self) -> None:
        """Tell what was held back, when its time is over."""
        self._logins.tell_held()
        for (device, address), count in self._events.over(self._monotonic()):
            await self._announce(device, address, count, self._clock())

    async def _tell_held_in_time(self) -> None:
        while True:
            await asyncio.sleep(_LOOKS_EVERY)
            await self.tell_held()

    async def _announce(self, device: str, address: str, count: int, at: int) -> None:
        async for attempt in insisting():
            with attempt:
                owner = await self._db.directory.endpoint_owner(device)
                if owner is None or (device_id := owner.device_id) is None:
                    return
                online, since = await self._db.events.device_since(device_id)
                state = DeviceState(
                    sip_user=device,
                    username=owner.username,
                    online=online,
                    srtp=owner.srtp,
                    since=rfc3339(at if since is None else since),
                )
                said = auth_failed(
                    owner.account_id,
                    device_id,
                    device,
                    owner.username,
                    address,
                    count,
                    at,
                    self._message_ids(at),
                    state,
                )
                stored = await self._db.events.append([said])
        self._bus.publish(stored)
