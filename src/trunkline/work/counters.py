"""Counters in memory for ``limits``, for one thread, without a thread of their own.

``limits``' own memory storage starts a timer thread with nearly every hit, which costs a request
more than all of its authentication. This one forgets what has expired as it goes.
"""

from __future__ import annotations

import time

from limits.storage import Storage

_SWEEP_EVERY = 1024


class Counters(Storage):
    """A ``limits`` storage for fixed windows; keys are dropped once they have expired."""

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[str, int] = {}
        self._ends: dict[str, float] = {}
        self._hits = 0

    @property
    def base_exceptions(self) -> type[Exception]:
        """What a failing storage would raise; this one does not fail."""
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count; ``expiry`` is the window in seconds, from the first count in it."""
        self._hits += 1
        if self._hits % _SWEEP_EVERY == 0:
            self._sweep()
        if not self.get(key):
            self._ends[key] = time.time() + expiry
        self._counts[key] = count = self._counts.get(key, 0) + amount
        return count

    def get(self, key: str) -> int:
        """The count in the current window."""
        if self._ends.get(key, 0.0) <= time.time():
            self.clear(key)
        return self._counts.get(key, 0)

    def get_expiry(self, key: str) -> float:
        """When the window ends, unix seconds; now, when there is none."""
        return self._ends.get(key, time.time())

    def check(self) -> bool:
        """It is always there."""
        return True

    def reset(self) -> int:
        """Forget everything; gives how many keys that were."""
        forgotten = len(self._counts)
        self._counts.clear()
        self._ends.clear()
        return forgotten

    def clear(self, key: str) -> None:
        """Forget one key."""
        self._counts.pop(key, None)
        self._ends.pop(key, None)

    def _sweep(self) -> None:
        now = time.time()
        for key in [key for key, end in self._ends.items() if end <= now]:
            self.clear(key)
