"""Events before and after they have their numbers: ``Announcement`` and ``StoredEvent``."""

from __future__ import annotations

from typing import Any

import msgspec

from trunkline.calls.words import StatusDetail as StatusDetail


class Announcement(msgspec.Struct, frozen=True):
    """A public event before it has its number.

    ``category``, ``name`` and ``subject`` are the three segments that bindings match
    (``call.CHANNEL_CREATE.<Call-ID>``). ``body`` is the payload (``payloads.AnyEvent``) without
    ``Event-Seq``.
    """

    account_id: str
    category: str
    name: str
    subject: str
    at: int
    body: msgspec.Struct | dict[str, Any]
    call_id: str | None = None


class StoredEvent(msgspec.Struct, frozen=True):
    """An event as it stands in an account's log. ``body`` is JSON with ``Event-Seq`` in it."""

    account_id: str
    seq: int
    category: str
    name: str
    subject: str
    call_id: str | None
    at: int
    body: bytes
