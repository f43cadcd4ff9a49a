"""The event envelope of ``/v1``: one shape for ``GET /v1/events``, SSE and webhooks.

The stored payload is in Kazoo's spelling; here its keys are of lower case. Values are copied as
they stand, without being read.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta

from trunkline.calls.times import Time, rfc3339
from trunkline.events.of_call import LEG_EVENTS
from trunkline.events.stored import StoredEvent

Payload = dict[str, msgspec.Raw]


class EventEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """One event, as ``/v1`` shows it."""

    seq: Annotated[int, Meta(description="The number: grows by one with each event.")]
    type: Annotated[str, Meta(description="The event's name, such as `CALL_ENDED`.")]
    category: Annotated[str, Meta(description="`call`, `device`, `trunk` or `webhook`.")]
    subject: Annotated[
        str, Meta(description="Whose event it is: the third part of its binding, dots unescaped.")
    ]
    account_id: str
    call_id: Annotated[str | None, Meta(description="The call, of an event of a call.")]
    client_ref: Annotated[str | None, Meta(description="Yours, from the click-to-call.")]
    time: Annotated[Time, Meta(description="When it happened.")]
    data: Annotated[
        dict[str, msgspec.Raw], Meta(description="The payload, its keys in lower case.")
    ]


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Payload)
_text = msgspec.json.Decoder(str)


def envelope(event: StoredEvent) -> bytes:
    """The event as one JSON object, an ``EventEnvelope``.

    In its ``data``, ``call_id`` is the call, and ``leg_id`` the leg that Kazoo calls ``Call-ID``.
    """
    said = _decoder.decode(event.body)
    reference = said.get("clientRef")
    data = _snaked(said)
    if event.name in LEG_EVENTS and "Call-ID" in said:
        data["call_id"] = msgspec.Raw(_encode(event.call_id))
        data["leg_id"] = said["Call-ID"]
    return _encode(
        EventEnvelope(
            seq=event.seq,
            type=event.name,
            category=event.category,
            subject=event.subject,
            account_id=event.account_id,
            call_id=event.call_id,
            client_ref=None if reference is None else _text.decode(reference),
            time=rfc3339(event.at),
            data=data,
        )
    )


def snaked(body: bytes) -> bytes:
    """The payload as Kazoo normalizes it: ``Call-ID`` becomes ``call_id``, and so at any depth.

    ``call_id`` is then the leg, as Kazoo's clients expect it; the call stands in ``state.id`` and in
    ``custom_channel_vars.call_interaction_id``.
    """
    return _encode(_snaked(_decoder.decode(body)))


@lru_cache(maxsize=1024)  # the keys of our payloads are few
def key(name: str) -> str:
    """``Caller-ID-Name`` -> ``caller_id_name``, ``clientRef`` -> ``client_ref``."""
    return "client_ref" if name == "clientRef" else name.lower().replace("-", "_")


def _snaked(said: Payload) -> Payload:
    """Where two keys become one (``call_id`` and ``Call-ID``), Kazoo's own stays."""
    made: Payload = {}
    for name, value in said.items():
        new = key(name)
        if new not in made or "-" in name:
            made[new] = _inside(name, value)
    return made


def _inside(name: str, value: msgspec.Raw) -> msgspec.Raw:
    """A nested object has its keys changed, too; ``State`` has keys of lower case already."""
    if name == "State" or memoryview(value)[0] != _OBJECT:
        return value
    return msgspec.Raw(_encode(_snaked(_decoder.decode(value))))


_OBJECT = ord("{")
