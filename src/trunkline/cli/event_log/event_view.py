"""An event as the command line shows it, wherever it was read: a ``/v1`` envelope."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from trunkline.cli.failure import CommandFailed
from trunkline.events.bindings import Binding, BindingInvalid, parse
from trunkline.events.envelope import envelope
from trunkline.events.stored import StoredEvent

GAP = "GAP"


class EventView(msgspec.Struct, frozen=True):
    """One event. ``time`` is RFC 3339 in UTC; ``data`` has keys of lower case."""

    seq: int
    type: str
    category: str
    subject: str
    account_id: str
    call_id: str | None
    time: str
    data: dict[str, Any]
    raw: bytes = b""
    """The whole envelope, byte for byte as the server has it."""


_read = msgspec.json.Decoder(EventView).decode


def from_envelope(raw: bytes) -> EventView:
    """Read an envelope; raises msgspec.DecodeError for anything else."""
    return msgspec.structs.replace(_read(raw), raw=bytes(raw))


def from_log(event: StoredEvent) -> EventView:
    """The envelope of an event of the data directory."""
    return from_envelope(envelope(event))


Matches = Callable[[StoredEvent], bool]


def bindings_in(text: str) -> tuple[Binding, ...]:
    """Parse ``--types``: bindings, comma-separated; raises CommandFailed."""
    try:
        return tuple(parse(part.strip()) for part in text.split(",") if part.strip())
    except BindingInvalid as error:
        raise CommandFailed(f"--types: {error}; such as call.CALL_ENDED.*,device.#") from error


def matching(bindings: Sequence[Binding]) -> Matches:
    """Does one of the bindings match? All events pass without any, and a GAP always does."""

    def matches(event: StoredEvent) -> bool:
        key = (event.category, event.name, event.subject)
        return event.name == GAP or not bindings or any(each.matches(key) for each in bindings)

    return matches
