"""Which web pages may connect (RFC 6454)."""

from __future__ import annotations


def origin_allowed(origin: str | None, host: str | None, allowed: tuple[str, ...]) -> bool:
    """May a page of this origin connect? Always its own host's, and clients that are no page.

    (Socket.IO 0.9 outside a browser sends the host alone as its origin.)
    """
    if origin is None or "*" in allowed or origin in allowed:
        return True
    return host is not None and origin.rpartition("://")[2] == host
