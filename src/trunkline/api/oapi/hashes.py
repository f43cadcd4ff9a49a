"""The Open API's hashes: pure functions over the strings exactly as they were received.

Each hash is the lower-case hex SHA-256 of strings joined with nothing between. That says nothing
of where one field ends and the next begins, so a right hash proves little by itself: whoever
believes it also has to see that every field has its strict shape.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest

DEFAULT_LIMIT = "20"
DEFAULT_PAGE = "1"


def _hash(*parts: str) -> str:
    return sha256("".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def header_hash(app_id: str, secret: str) -> str:
    """The hash of the two POST calls: ``sha256(appId + appSecret)``."""
    return _hash(app_id, secret)


def media_hash(app_id: str, media: str | None, secret: str) -> str:
    """The hash of play_recording: ``sha256(appId + media + appSecret)``."""
    return _hash(app_id, media or "", secret)


def histories_hash(app_id: str, fields: Iterable[str | None], secret: str) -> str:
    """The documented hash of histories; ``fields``: created_from, created_to, limit, page."""
    return _hash(app_id, *(field or "" for field in fields), secret)


def histories_hashes(
    app_id: str,
    created_from: str | None,
    created_to: str | None,
    limit: str | None,
    page: str | None,
    secret: str,
) -> list[str]:
    """Every hash that is right for a histories query; None is a parameter that was not sent.

    Two orders (the documented one, and app id and secret at the end), each over what was sent and
    over the defaults of what was not. Over nothing at all there is none: that would be the header
    hash, which whoever saw a POST call knows.
    """
    dates = (created_from or "") + (created_to or "")
    sent = dates + (limit or "") + (page or "")
    filled = dates + _default(limit, DEFAULT_LIMIT) + _default(page, DEFAULT_PAGE)
    middles = {sent, filled} - {""}
    return [
        made
        for middle in sorted(middles)
        for made in (_hash(app_id, middle, secret), _hash(middle, app_id, secret))
    ]


def _default(sent: str | None, default: str) -> str:
    return default if sent is None else sent


def matches(given: str, right: Iterable[str]) -> bool:
    """Is ``given`` one of the right hashes? Takes the same time whichever it is, or none."""
    raw = given.encode("utf-8", "surrogateescape")
    found = False
    for hash_ in right:
        found |= compare_digest(raw, hash_.encode())
    return found
