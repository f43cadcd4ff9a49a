"""SQLite's reads do not wait: they can be asked where nothing can be awaited."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def at_once(read: Coroutine[Any, Any, T]) -> T:
    """What the read gives; AssertionError when it has to wait for something."""
    try:
        read.send(None)
    except StopIteration as done:
        found: T = done.value
        return found
    read.close()
    raise AssertionError("it does not come at once")
