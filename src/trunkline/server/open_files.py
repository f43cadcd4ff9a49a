"""How many files and sockets this process may have open, and how many of them are for connections."""

from __future__ import annotations

import resource

_KEPT = 256


def raise_limit() -> int:
    """Raise the soft limit to the hard one for this process and the engines that it starts; returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def for_connections() -> int:
    """The first descriptor that no HTTP connection may have.

    The kernel gives the lowest free descriptor (POSIX), so all above this one stay free for the
    engine's log and sockets, the database, recordings, webhooks, and for starting an engine again.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft - min(_KEPT, soft // 4)
