"""How many files and sockets this process may have open, and how many of them connections may take."""

from __future__ import annotations

import resource

_KEPT = 256


def raise_limit() -> int:
    """Raise the soft limit to the hard one, for this process and the engines that it starts; gives it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def for_connections() -> int:
    """The first descriptor that no HTTP connection may have.

    The kernel gives the lowest free one (POSIX), so as many as are above it stay free for the
    engine's log and sockets, the database, recordings, webhooks, and an engine to be started again.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft - min(_KEPT, soft // 4)
