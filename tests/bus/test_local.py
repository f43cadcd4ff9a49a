from __future__ import annotations

from collections.abc import Sequence

from trunkline.bus.local import LocalBus
from trunkline.events.stored import StoredEvent

EVENT = StoredEvent("a", 1, "call", "CALL_ENDED", "c", "c", 0, b"{}")


def test_listeners_are_called_in_the_order_in_which_they_came() -> None:
    bus, heard = LocalBus(), []
    bus.listen(lambda events: heard.append(("first", *events)))
    bus.listen(lambda events: heard.append(("second", *events)))

    bus.publish([EVENT])

    assert heard == [("first", EVENT), ("second", EVENT)]


def test_a_listener_that_stopped_hears_no_more_and_may_stop_again() -> None:
    bus, heard = LocalBus(), []
    stop = bus.listen(heard.append)

    stop()
    stop()
    bus.publish([EVENT])

    assert heard == []


def test_a_listener_that_raises_is_dropped_and_harms_nobody() -> None:
    bus, heard, tries = LocalBus(), [], []

    def broken(events: Sequence[StoredEvent]) -> None:
        tries.append(events)
        raise RuntimeError("broken")

    bus.listen(broken)
    bus.listen(heard.append)

    bus.publish([EVENT])
    bus.publish([EVENT])

    assert (len(tries), len(heard)) == (1, 2)
