"""What all connections of one app, or of one key, use together, and whether that is too much.

A connection belongs to the apps whose tokens it has shown; before that it belongs to nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trunkline.calls.times import SECOND
from trunkline.live.limits import LiveLimits


class TooManyConnections(Exception):
    """The app has as many connections as it may have."""

    def __init__(self, most: int, what: str = "connections", whose: str = "app") -> None:
        super().__init__(f"too many {what}: at most {most} of one {whose}")


class TooManySubscriptions(Exception):
    """More bindings than a connection, or an app, may have."""


class TooManyCommands(Exception):
    """This second has had as many commands as it may."""

    def __init__(self, whose: str) -> None:
        super().__init__(f"rate limiting threshold hit for {whose}!")


@dataclass(eq=False, slots=True)
class _Used:
    connections: int = 0
    subscriptions: int = 0
    congested: int = 0
    second: int = 0
    commands: int = 0


class Usage:
    """The counts of every app that is connected. ``clock`` gives unix microseconds."""

    def __init__(self, limits: LiveLimits, clock: Callable[[], int]) -> None:
        self._limits, self._clock = limits, clock
        self._apps: dict[str, _Used] = {}

    def connect(self, app_id: str) -> None:
        """Count a connection; raises TooManyConnections. Every one ends with `disconnect`."""
        used = self._apps.setdefault(app_id, _Used())
        if used.connections >= self._limits.connections_per_app:
            raise TooManyConnections(self._limits.connections_per_app)
        used.connections += 1

    def connect_stream(self, key_id: str) -> None:
        """The same for a stream of a key."""
        used = self._apps.setdefault(key_id, _Used())
        if used.connections >= self._limits.streams_per_key:
            raise TooManyConnections(self._limits.streams_per_key, "streams", "key")
        used.connections += 1

    def disconnect(self, app_id: str) -> None:
        self._apps[app_id].connections -= 1
        self._forget_if_unused(app_id)

    def check_subscriptions(self, app_id: str, more: int) -> None:
        """Raise TooManySubscriptions if the app may not have that many more."""
        used, most = self._apps.get(app_id), self._limits.subscriptions_per_app
        if (used.subscriptions if used else 0) + more > most:
            raise TooManySubscriptions(f"too many subscriptions: at most {most} of one app")

    def subscribed(self, app_id: str) -> None:
        """Count a subscription. Every one ends with `unsubscribed`."""
        self._apps.setdefault(app_id, _Used()).subscriptions += 1

    def unsubscribed(self, app_id: str) -> None:
        self._apps[app_id].subscriptions -= 1
        self._forget_if_unused(app_id)

    def congested(self, app_id: str, more: int) -> None:
        """One connection more (1), or less (-1), does not take what is written."""
        self._apps.setdefault(app_id, _Used()).congested += more
        self._forget_if_unused(app_id)

    def may_wait(self, app_id: str) -> int:
        """How many bytes may wait for one connection of the app."""
        limits, used = self._limits, self._apps.get(app_id)
        share = limits.buffered_bytes_per_app // max(used.congested if used else 0, 1)
        return min(limits.buffered_bytes, share)

    def command(self, app_id: str) -> None:
        """Count a command of a connected app; raises TooManyCommands."""
        used, second = self._apps[app_id], self._clock() // SECOND
        if used.second != second:
            used.second, used.commands = second, 0
        used.commands += 1
        if used.commands > self._limits.commands_per_second:
            raise TooManyCommands(app_id)

    def __len__(self) -> int:
        """How many apps are connected."""
        return len(self._apps)

    def _forget_if_unused(self, app_id: str) -> None:
        used = self._apps[app_id]
        if not (used.connections or used.subscriptions or used.congested):
            del self._apps[app_id]
