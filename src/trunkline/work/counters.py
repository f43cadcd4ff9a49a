"""Counters in memory for the library ``limits``, without the thread that its own storage starts.

``limits``' own memory storage starts a timer thread with nearly every hit, which costs a request
more than all of its authentication. This one forgets expired keys as it goes, and is for one thread.
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
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count; ``expiry`` is the window in seconds, from the first count in it."""
        self._hits += 1
        if self._hits % _SWEEP_EVERY == 0:
            self._sweep()
        if not self.get(key):
            self._ends[key] = time.monotonic() + expiry
        self._counts[key] = count = self._counts.get(key, 0) + amount
        return count

    def get(self, key: str) -> int:
        if self._ends.get(key, 0.0) <= time.monotonic():
            self.clear(key)
        return self._counts.get(key, 0)

    def get_expiry(self, key: str) -> float:
        """When the window ends, in unix seconds; without a window, now."""
        now = time.monotonic()
        return time.time() + self._ends.get(key, now) - now

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        """Forget everything; returns how many keys that were."""
        forgotten = len(self._counts)
        self._counts.clear()
        self._ends.clear()
        return forgotten

    def clear(self, key: str) -> None:
        self._counts.pop(key, None)
        self._ends.pop(key, None)

    def _sweep(self) -> None:
        now = time.monotonic()
        for key in [key for key, end in self._ends.items() if end <= now]:
            self.clear(key)
