"""Follow the devices' states: each change is one numbered DEVICE_ONLINE or DEVICE_OFFLINE event."""

from __future__ import annotations

from collections.abc import Callable

import stamina

from trunkline.bus.port import Bus
from trunkline.calls.announce import device_state
from trunkline.db.port import Database, DatabaseUnavailable
from trunkline.engine.port import EndpointChanged


class FollowDevices:
    """The verb; one signal at a time, in order."""

    def __init__(self, db: Database, bus: Bus, clock: Callable[[], int]) -> None:
        self._db = db
        self._bus = bus
        self._clock = clock

    async def __call__(self, change: EndpointChanged) -> None:
        """Store the state and its event, if it is a change; trunks have none yet."""
        owner = self._db.directory.endpoint_owner(change.endpoint)
        if owner is None or owner.kind != "device" or owner.device_id is None:
            return
        said = device_state(
            owner.account_id,
            owner.device_id,
            change.endpoint,
            owner.username,
            change.online,
            change.at,
            self._clock(),
        )
        async for attempt in stamina.retry_context(
            on=DatabaseUnavailable, attempts=None, timeout=None, wait_max=5.0
        ):
            with attempt:
                event = await self._db.events.device_state(owner.device_id, change.online, said)
        if event is not None:
            self._bus.publish([event])
