"""Put a sample event into an account's log, from which it goes all the ways of a real one.

Only events are made: a sample leaves no call, no history record and no recording.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex

from trunkline.bus.port import Bus
from trunkline.events.message_ids import MessageIds
from trunkline.events.of_call import Node
from trunkline.events.samples import MARK, SampleContext, SampleUnknown, samples
from trunkline.events.stored import StoredEvent
from trunkline.store.ports.database import Events
from trunkline.work.refused import Refused


class TriggerEvent:
    def __init__(
        self,
        events: Events,
        bus: Bus,
        node: Node,
        clock: Callable[[], int],
        message_ids: MessageIds,
    ) -> None:
        self._events = events
        self._bus = bus
        self._node = node
        self._clock = clock
        self._message_ids = message_ids

    async def __call__(
        self, account_id: str, name: str, call_id: str | None = None
    ) -> list[StoredEvent]:
        """The stored events, in order: one, or those of a whole call (``events.samples.NAMES``).

        ``call_id`` begins with ``test-``; None makes a new one. Raises Refused: BODY_INVALID,
        NOT_FOUND (the account).
        """
        call_id = call_id or MARK + token_hex(13)
        if not call_id.startswith(MARK):
            raise Refused("BODY_INVALID", f"The call id of a sample begins with {MARK}.")
        wanted = SampleContext(account_id, call_id, self._clock(), self._node, self._message_ids)
        try:
            made = samples(name, wanted)
        except SampleUnknown as error:
            raise Refused("BODY_INVALID", str(error)) from error
        stored = await self._events.append(made)
        if not stored:
            raise Refused("NOT_FOUND", "There is no such account.")
        self._bus.publish(stored)
        return stored
