"""Follow the states of devices and trunks: each change is one numbered event of its account."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from trunkline.bus.port import Bus
from trunkline.engine.port import ContactCame, EndpointChanged, EngineUnavailable, TrunkChanged
from trunkline.events.message_ids import MessageIds
from trunkline.events.of_endpoint import device_state, trunk_state
from trunkline.events.stored import StoredEvent
from trunkline.store.ports.database import Database
from trunkline.work.keep_trying import insisting

Change = EndpointChanged | ContactCame | TrunkChanged


class FollowEndpoints:
    """The verb; takes one signal at a time, in order."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        message_ids: MessageIds,
        read_anew: Callable[[], Awaitable[None]],
    ) -> None:
        """``read_anew`` has the engine forget what it has read of devices."""
        self._db = db
        self._bus = bus
        self._message_ids = message_ids
        self._read_anew = read_anew

    async def __call__(self, change: Change) -> None:
        """Store the state and its event if it is a change; an endpoint that belongs to nobody has none.

        By which transport a device came is no event.
        """
        if isinstance(change, ContactCame):
            await self._came(change)
            return
        async for attempt in insisting():
            with attempt:
                event = await (
                    self._trunk(change)
                    if isinstance(change, TrunkChanged)
                    else self._device(change)
                )
        if event is not None:
            self._bus.publish([event])

    async def _came(self, change: ContactCame) -> None:
        async for attempt in insisting():
            with attempt:
                changed = await self._db.events.device_secure(
                    change.endpoint, change.secure, change.at
                )
        if changed:
            # Where it is away, it reads anew when it is back.
            with contextlib.suppress(EngineUnavailable):
                await self._read_anew()

    async def _device(self, change: EndpointChanged) -> StoredEvent | None:
        owner = await self._db.directory.endpoint_owner(change.endpoint)
        if owner is None or (device_id := owner.device_id) is None:
            return None
        said = device_state(
            owner.account_id,
            device_id,
            change.endpoint,
            owner.username,
            change.online,
            change.at,
            self._message_ids(change.at),
            owner.srtp,
        )
        return await self._db.events.device_state(device_id, change.online, said)

    async def _trunk(self, change: TrunkChanged) -> StoredEvent | None:
        owner = await self._db.directory.endpoint_owner(change.endpoint)
        if owner is None or (trunk_id := owner.trunk_id) is None:
            return None
        said = trunk_state(
            owner.account_id,
            trunk_id,
            owner.display_name,
            change.up,
            change.at,
            self._message_ids(change.at),
            change.reason,
        )
        return await self._db.events.trunk_state(trunk_id, change.up, said)
