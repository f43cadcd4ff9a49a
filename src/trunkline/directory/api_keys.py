"""The keys of /v1: how they look, what is stored of them, and the scopes that they may have."""

from __future__ import annotations

import base64
import hashlib
import re

SCOPES: dict[str, str] = {
    "events:read": "Read the event log and its stream.",
    "webhooks:read": "See webhook endpoints and their deliveries.",
    "webhooks:write": "Add, change, test, replay and delete webhook endpoints.",
    "calls:read": "See live calls and the history.",
    "calls:write": "Transfer a live call, and change a call's note and tags.",
    "recordings:read": "Get the signed URL of a call's recording.",
    "keys:read": "See the account's keys: what they may do, never the keys themselves.",
}
"""Every scope, and what a key with it may do. No scope includes another."""

PREFIX_LENGTH = 12
"""What a list shows of a key: ``tlk_`` and 8 characters, which leave 208 bits to guess."""

_KEY = re.compile(r"tlk_[A-Za-z0-9_-]{43}", re.ASCII)


def new_key(chance: bytes) -> str:
    """A new key from 32 random bytes: ``tlk_``, and the bytes in URL-safe base64."""
    return "tlk_" + base64.urlsafe_b64encode(chance).rstrip(b"=").decode()


def looks_like_key(text: str) -> bool:
    """False for a key that is cut off, or has blanks in it."""
    return bool(_KEY.fullmatch(text))


def key_hash(key: str) -> str:
    """What is stored of a key: SHA-256 in hex. A key has 256 random bits, so nothing slower is needed."""
    return hashlib.sha256(key.encode()).hexdigest()
