"""The clocks of the processes: what time it is, whatever is done to the clock on the wall.

Everything here that waits or runs out (retention, tokens, keys of idempotency, webhooks' attempts, recordings that do not
come) asks what time it is. A clock that is wrong for a moment must not make it so. So a wall clock that is set is believed
only once it has said the same for some time by the machine's monotonic clock, which nobody sets.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

_SET = 1_000_000
"""Microseconds by which a wall clock that was set is off at once."""
_BELIEVED_AFTER = 300 * 1_000_000
DELETES_AFTER = 24 * 3600 * 1_000_000
"""A clock that was set forward has to hold for so long before anything is deleted by it."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def wall() -> int:
    """Unix microseconds, as the machine says."""
    return time.time_ns() // 1000


def steady() -> int:
    """Microseconds of the machine's monotonic clock, which the engine's log has, too."""
    return time.monotonic_ns() // 1000


def awake_or_not() -> int:
    """Microseconds since the machine was started; unlike ``steady``, it goes on while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class EvenClock:
    """Unix microseconds; a wall clock that was set counts once it has held for ``after`` microseconds."""

    def __init__(
        self,
        after: int,
        wall: Callable[[], int] = wall,
        steady: Callable[[], int] = awake_or_not,
        ahead: int | None = None,
    ) -> None:
        """``ahead`` is how far the wall clock is ahead of the steady one, as far as is believed."""
        self._after, self._wall, self._steady = after, wall, steady
        self.ahead = wall() - steady() if ahead is None else ahead
        self._set: tuple[int, int] | None = None
        """What the wall clock says since when, where that is not believed yet."""

    def __call__(self) -> int:
        now = self._steady()
        says = self._wall() - now
        if abs(says - self.ahead) <= _SET:
            self.ahead, self._set = says, None
        elif self._set is None or abs(says - self._set[0]) > _SET:
            self._set = (says, now)
        elif now - self._set[1] >= self._after:
            self.ahead, self._set = says, None
        return now + self.ahead


now = EvenClock(_BELIEVED_AFTER)
"""Unix microseconds."""


class _Mark(msgspec.Struct):
    """What was believed, in which run of the machine, and when that was."""

    boot: str
    ahead: int
    at: int


class DeletingClock:
    """The time by which things are deleted: never later than it is.

    A wall clock that was set forward counts after a day; one that was set back counts at once. What is believed stands in
    ``file``, so that a restart believes no more than the process before.
    """

    def __init__(
        self,
        file: Path,
        wall: Callable[[], int] = wall,
        steady: Callable[[], int] = awake_or_not,
        boot: Callable[[], str] = lambda: _BOOT.read_text().strip(),
    ) -> None:
        self._file, self._wall, self._boot = file, wall, boot()
        self._steady = steady
        self._clock = EvenClock(DELETES_AFTER, wall, steady, self._believed())

    def __call__(self) -> int:
        at = min(self._clock(), self._wall())
        mark = _Mark(self._boot, self._clock.ahead, at)
        with suppress(OSError):  # on a full disk, deleting is what helps
            aside = self._file.with_name(f"{self._file.name}.new")
            aside.write_bytes(msgspec.json.encode(mark))
            aside.replace(self._file)
        return at

    def _believed(self) -> int | None:
        """None where nothing speaks against the wall clock."""
        try:
            mark = msgspec.json.decode(self._file.read_bytes(), type=_Mark)
        except (OSError, msgspec.DecodeError):
            return None
        if mark.boot == self._boot:
            return mark.ahead
        # The machine was started anew. Whether it was off for so long is not known: a day will tell.
        off = self._wall() - mark.at
        return None if off <= DELETES_AFTER else mark.at - self._steady()
