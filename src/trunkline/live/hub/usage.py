"""What all connections of one app use together, and whether that is too much.

A connection belongs to the apps whose tokens it has shown; before that it belongs to nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trunkline.calls.times import SECOND
from trunkline.live.limits import LiveLimits


class TooManyConnections(Exception):
    """The app has as many connections as it may have."""

    def __init__(self, most: int) -> None:
        super().__init__(f"too many connections: at most {most} of one app")


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
        if not (used.connections or used.subscriptions):
            del self._apps[app_id]
