"""What goes over the wire for an event: each form is made once and shared by all its readers."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from functools import cached_property
from typing import Any

import msgspec

from trunkline.events.bindings import Binding, RoutingKey, escaped
from trunkline.events.envelope import envelope, snaked
from trunkline.events.stored import StoredEvent
from trunkline.live.http.frames import chunk, text_frame


class Encoding(Enum):
    """The forms in which an event leaves. ``_WS`` is bytes: a finished frame (`text_frame`)."""

    KAZOO_WS = auto()
    """Kazoo 4's event frame, which names the binding that it came by."""
    SIO_WS = auto()
    """``42["NAME",{…}]`` in a frame: Socket.IO 1 to 4 (Engine.IO 3 and 4) by WebSocket."""
    SIO_PACKET = auto()
    """The same packet as str, for long polling."""
    SIO09_WS = auto()
    """``5:::{"name":…,"args":[…]}`` in a frame: Socket.IO 0.9 by WebSocket."""
    SIO09_PACKET = auto()
    """The same packet as str."""
    SSE = auto()
    """``id: N``, ``event: NAME``, ``data: <envelope>`` in bytes, as one HTTP chunk (`chunk`)."""


class Wire:
    """One event on its way out."""

    def __init__(self, event: StoredEvent) -> None:
        self.event = event
        self._frames: dict[tuple[Encoding, str], bytes | str] = {}

    @property
    def key(self) -> RoutingKey:
        """What bindings are compared with."""
        return (self.event.category, self.event.name, self.event.subject)

    def frame(self, encoding: Encoding, binding: Binding) -> bytes | str:
        """The event in that form; only Kazoo's depends on the binding that it came by."""
        by = (encoding, binding.text if encoding is Encoding.KAZOO_WS else "")
        frame = self._frames.get(by)
        if frame is None:
            frame = self._frames[by] = _MAKERS[encoding](self, binding)
        return frame

    def kazoo(self, binding: Binding) -> bytes:
        subscribed, subscription = _json(binding.text), _json(self._with_account(binding.text))
        return text_frame(
            b'{"action":"event","subscribed_key":%b,"subscription_key":%b,%b}'
            % (subscribed, subscription, self._kazoo_rest)
        )

    def socket_io(self) -> bytes:
        """The packet of ``SIO_…``, the stored payload untouched."""
        return b"42[%b,%b]" % (_json(self.event.name), self.event.body)

    def socket_io_09(self) -> bytes:
        """The packet of ``SIO09_…``."""
        return b'5:::{"name":%b,"args":[%b]}' % (_json(self.event.name), self.event.body)

    def server_sent(self) -> bytes:
        event = self.event
        return chunk(
            b"id: %d\nevent: %b\ndata: %b\n\n" % (event.seq, event.name.encode(), envelope(event))
        )

    @cached_property
    def _kazoo_rest(self) -> bytes:
        event = self.event
        parts = (event.category, event.account_id, event.name, escaped(event.subject))
        routing = _json(".".join(part for part in parts if part))
        data = snaked(event.body)
        return b'"name":%b,"routing_key":%b,"data":%b' % (_json(event.name), routing, data)

    def _with_account(self, binding: str) -> str:
        category, dot, rest = binding.partition(".")
        return f"{category}.{self.event.account_id}{dot}{rest}"


_MAKERS: dict[Encoding, Callable[[Wire, Binding], bytes | str]] = {
    Encoding.KAZOO_WS: Wire.kazoo,
    Encoding.SIO_WS: lambda wire, _: text_frame(wire.socket_io()),
    Encoding.SIO_PACKET: lambda wire, _: wire.socket_io().decode(),
    Encoding.SIO09_WS: lambda wire, _: text_frame(wire.socket_io_09()),
    Encoding.SIO09_PACKET: lambda wire, _: wire.socket_io_09().decode(),
    Encoding.SSE: lambda wire, _: wire.server_sent(),
}


def gap(account_id: str, first: int, last: int, at: int) -> Wire:
    """The ``GAP {from, to}`` event: these numbers were asked for and are kept no more.

    It stands in the place of number ``to``, so a reader goes on after that. ``at`` is now.
    """
    body = msgspec.json.encode({"from": first, "to": last})
    return Wire(StoredEvent(account_id, last, "account", "GAP", "", None, at, body))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
