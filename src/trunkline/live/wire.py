"""What goes over the wire for an event: each form is made once and shared by all its readers."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec
from engineio.packet import MESSAGE, Packet  # type: ignore[import-untyped,unused-ignore]

from trunkline.calls.record import StoredEvent
from trunkline.live.bindings import Binding, RoutingKey, escaped

_SOCKET_IO_EVENT = "2"


class EventPacket(Packet):  # type: ignore[misc,unused-ignore]
    """An Engine.IO packet that knows which event it carries; encoded once, at first sending."""

    def __init__(self, event: StoredEvent, text: str) -> None:
        super().__init__(MESSAGE, text)
        self.account_id = event.account_id
        self.seq = event.seq


class Wire:
    """One event on its way out."""

    def __init__(self, event: StoredEvent) -> None:
        self.event = event
        self._kazoo: dict[str, str] = {}

    @property
    def key(self) -> RoutingKey:
        """What bindings are compared with."""
        return (self.event.category, self.event.name, self.event.subject)

    @cached_property
    def socket_io(self) -> EventPacket:
        """``42["NAME",{…}]``, the stored payload untouched."""
        name = _json(self.event.name)
        text = f"{_SOCKET_IO_EVENT}[{name},{self.event.body.decode()}]"
        return EventPacket(self.event, text)

    def kazoo(self, binding: Binding) -> str:
        """Kazoo 4's event frame, which names the binding that it came by."""
        frame = self._kazoo.get(binding.text)
        if frame is None:
            frame = self._kazoo[binding.text] = self._kazoo_frame(binding)
        return frame

    def _kazoo_frame(self, binding: Binding) -> str:
        subscribed, subscription = _json(binding.text), _json(self._with_account(binding.text))
        return (
            f'{{"action":"event","subscribed_key":{subscribed},"subscription_key":{subscription},'
            f"{self._kazoo_rest}}}"
        )

    @cached_property
    def _kazoo_rest(self) -> str:
        event = self.event
        parts = (event.category, event.account_id, event.name, escaped(event.subject))
        routing = _json(".".join(part for part in parts if part))
        data = _json(snake(msgspec.json.decode(event.body)))
        return f'"name":{_json(event.name)},"routing_key":{routing},"data":{data}'

    def _with_account(self, binding: str) -> str:
        category, dot, rest = binding.partition(".")
        return f"{category}.{self.event.account_id}{dot}{rest}"


def gap(account_id: str, first: int, last: int) -> Wire:
    """The ``GAP {from, to}`` event: these numbers were asked for and are kept no more.

    It stands in the place of number ``to``, so a reader goes on after that.
    """
    body = msgspec.json.encode({"from": first, "to": last})
    return Wire(StoredEvent(account_id, last, "account", "GAP", "", None, 0, body))


def snake(value: Any) -> Any:
    """The same payload with Kazoo's normalized keys: ``Call-ID`` becomes ``call_id``, at any depth."""
    if isinstance(value, dict):
        return {key.lower().replace("-", "_"): snake(item) for key, item in value.items()}
    if isinstance(value, list):
        return [snake(item) for item in value]
    return value


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
