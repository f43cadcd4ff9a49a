"""How an announcement becomes a numbered event, the same in every database."""

from __future__ import annotations

import msgspec

from trunkline.events.stored import Announcement, StoredEvent

_encode = msgspec.json.Encoder().encode


def numbered(announcement: Announcement, seq: int) -> StoredEvent:
    """The announcement as event ``seq`` of its account; ``Event-Seq`` is the body's last key."""
    return with_number(announcement, without_number(announcement), seq)


def without_number(announcement: Announcement) -> bytes:
    """The body up to where its number goes, behind the other keys; after that a bracket is missing.

    So nothing is decoded for it, or encoded twice.
    """
    body = _encode(announcement.body)
    return b'%b%b"Event-Seq":' % (body[:-1], b"," if len(body) > 2 else b"")


def with_number(announcement: Announcement, body: bytes, seq: int) -> StoredEvent:
    """The event; ``body`` is ``without_number``."""
    return StoredEvent(
        account_id=announcement.account_id,
        seq=seq,
        category=announcement.category,
        name=announcement.name,
        subject=announcement.subject,
        call_id=announcement.call_id,
        at=announcement.at,
        body=b"%b%d}" % (body, seq),
    )


def raw_name(recording: str) -> str:
    """``call_recording_X.mp3`` -> ``X``, the base name of the raw file that it is made from."""
    return recording.removeprefix("call_recording_").removesuffix(".mp3")
