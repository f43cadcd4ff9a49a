"""The AsyncAPI 3.0 document: every event on every way out, from the types that the code uses."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from trunkline import __version__
from trunkline.api.docs import socket_messages as said
from trunkline.api.docs.event_examples import as_envelope, as_frame, as_payload, examples
from trunkline.api.docs.event_schemas import Json, ref, schemas
from trunkline.events.payloads import KINDS, Gap
from trunkline.events.stored import StoredEvent

Spoken = Mapping[str, type[Any]]

_INTRODUCTION = """\
Every step of a call is an event. All ways out read one numbered log for each account, so an event is the
same everywhere, and none is missed: keep the highest number that you have seen (`Event-Seq`, or `seq`), and
ask for what follows it when you come back.

Which events you want is said by bindings: `category.EVENT.id`, with a dot between the parts. `*` stands for
one part, `#` for any number of them, and a dot inside an id is written `%2E`. `call.CALL_ENDED.*` brings the
end of every call, `call.*.tl1a2b-17%2E12` all of one leg, `device.#` the phones that come and go, and `#`
everything. The categories are `call`, `device`, `trunk` and `webhook`; the id is the leg's `Call-ID` for
CHANNEL events, else the call's id, the device's SIP user name, the trunk's name or the webhook's id.

Every event says its number, when it happened (RFC 3339, UTC), the `call_id` and your `clientRef` where it
belongs to a call, and in `State` all that is so after it: no other event is needed to know where a call is.
"""

_HOST = {
    "host": {
        "default": "localhost:8080",
        "description": "The server, and its port where it is not the usual one.",
    }
}
_SERVERS: Json = {
    "sockets": {
        "host": "{host}",
        "protocol": "ws",
        "description": "The same port as the HTTP API; `wss` behind a TLS proxy.",
        "variables": _HOST,
    },
    "http": {
        "host": "{host}",
        "protocol": "http",
        "description": "The HTTP API; `https` behind a TLS proxy.",
        "variables": _HOST,
        "security": [{"$ref": "#/components/securitySchemes/key"}],
    },
    "yours": {
        "host": "{yourHost}",
        "protocol": "https",
        "description": "Where your webhooks listen.",
        "variables": {"yourHost": {"default": "example.com"}},
    },
}

_SECURITY_SCHEMES: Json = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "tlk_…",
        "description": "A key with the scope `events:read`.",
    }
}

_WEBHOOK_HEADERS: Json = {
    "type": "object",
    "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
    "properties": {
        "webhook-id": {
            "type": "string",
            "description": "The same for each attempt: drop what you have had.",
        },
        "webhook-timestamp": {
            "type": "string",
            "description": "When this attempt was sent, unix seconds.",
        },
        "webhook-signature": {
            "type": "string",
            "description": "One or more, parted by spaces: `v1,` and the base64 of the HMAC-SHA256 "
            "over `id.timestamp.body`, by Standard Webhooks.",
        },
    },
}

_STREAM_QUERY: Json = {
    "type": "object",
    "properties": {
        "types": {
            "type": "string",
            "description": "Bindings, parted by commas or sent several times; without any: all events.",
        },
        "after": {
            "type": "integer",
            "minimum": 0,
            "description": "The last number that you have. `Last-Event-ID` goes before it.",
        },
    },
}

_SSE_HEADERS: Json = {
    "type": "object",
    "description": "The fields of the event stream.",
    "properties": {
        "id": {"type": "string", "description": "The number: sent back as `Last-Event-ID`."},
        "event": {"type": "string", "description": "The event's name."},
    },
}
_GAP = Gap(from_=1, to=41)

_SOCKET_IO: Spoken = {
    "subscribe": said.Subscribe,
    "unsubscribe": said.Unsubscribe,
    "acknowledgement": said.Acknowledged,
    "auth_failure": said.AuthFailure,
    "error": said.Failure,
}
_RAW: Spoken = {
    "subscribe": said.SubscribeFrame,
    "unsubscribe": said.UnsubscribeFrame,
    "ping": said.PingFrame,
    "pong": said.Pong,
    "reply": said.ReplyFrame,
}


def asyncapi_document() -> Json:
    """The document; the server's host is a variable, so it is true wherever it is served."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Trunkline events",
            "version": __version__,
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": _SERVERS,
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "schemas": schemas(),
            "messages": _messages(),
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _channels() -> Json:
    return {
        "socketIo": {
            "address": "/socket.io/",
            "title": "Socket.IO",
            "description": "For the JavaScript clients of every age: Socket.IO 4, 3 and 2, by WebSocket or "
            "long polling, and 0.9 at `/socket.io/1/`. A message's name is the event's name.",
            "servers": [ref("servers", "sockets")],
            "messages": _of_channel("io", _SOCKET_IO),
            "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
        },
        "webSocket": {
            "address": "/oapi/v1/voice/events",
            "title": "Raw WebSocket",
            "description": "The frames of Kazoo 4: one JSON object in each text frame.",
            "servers": [ref("servers", "sockets")],
            "messages": _of_channel("kazoo", _RAW),
            "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
        },
        "stream": {
            "address": "/v1/events/stream",
            "title": "Server-sent events",
            "description": "For `EventSource` and anything that reads HTTP. `Last-Event-ID` goes on from "
            "that number.",
            "servers": [ref("servers", "http")],
            "messages": _of_channel("sse", {}),
        },
        "webhook": {
            "address": None,
            "title": "Webhooks",
            "description": "Posted to your URLs, signed by the Standard Webhooks specification, and tried "
            "again until you answer 2xx. Events of one call come in their order.",
            "servers": [ref("servers", "yours")],
            "messages": _of_channel("webhook", {}),
        },
    }


def _of_channel(form: str, spoken: Spoken) -> Json:
    names = (*spoken, *KINDS, "GAP")
    return {name: ref("components", "messages", f"{form}.{name}") for name in names}


def _operations() -> Json:
    events = (*KINDS, "GAP")
    return {
        "socketIoSubscribe": _operation(
            "receive", "socketIo", ("subscribe",), ("acknowledgement",)
        ),
        "socketIoUnsubscribe": _operation(
            "receive", "socketIo", ("unsubscribe",), ("acknowledgement",)
        ),
        "socketIoEvents": _operation("send", "socketIo", (*events, "auth_failure", "error")),
        "webSocketSubscribe": _operation("receive", "webSocket", ("subscribe",), ("reply",)),
        "webSocketUnsubscribe": _operation("receive", "webSocket", ("unsubscribe",), ("reply",)),
        "webSocketPing": _operation("receive", "webSocket", ("ping",), ("pong",)),
        "webSocketEvents": _operation("send", "webSocket", events),
        "streamEvents": _operation("send", "stream", events) | _http("GET", query=_STREAM_QUERY),
        "webhookEvents": _operation("send", "webhook", events) | _http("POST"),
    }


def _operation(
    action: str, channel: str, messages: tuple[str, ...], reply: tuple[str, ...] = ()
) -> Json:
    made: Json = {
        "action": action,
        "channel": ref("channels", channel),
        "messages": [ref("channels", channel, "messages", name) for name in messages],
    }
    if reply:
        answers = [ref("channels", channel, "messages", name) for name in reply]
        made["reply"] = {"channel": ref("channels", channel), "messages": answers}
    return made


def _http(method: str, **more: Json) -> Json:
    return {"bindings": {"http": {"method": method, "bindingVersion": "0.3.0", **more}}}


def _messages() -> Json:
    made: Json = {}
    for form, spoken in (("io", _SOCKET_IO), ("kazoo", _RAW)):
        made |= {f"{form}.{name}": _spoken(name, kind) for name, kind in spoken.items()}
    for name, event in examples().items():
        made |= {f"{form}.{name}": make(event) for form, make in _FORMS.items()}
    gap = _gap()
    made |= {f"{form}.GAP": make(gap) for form, make in _FORMS.items()}
    return made


def _spoken(name: str, kind: type[Any]) -> Json:
    example = msgspec.to_builtins(said.EXAMPLES[kind])
    return _message(name, kind, ref("components", "schemas", kind.__name__), example)


def _gap() -> StoredEvent:
    newest = max(examples().values(), key=lambda event: event.seq)
    body = msgspec.json.encode(_GAP)
    return StoredEvent(newest.account_id, _GAP.to, "account", "GAP", "", None, newest.at, body)


def _socket_io(event: StoredEvent) -> Json:
    return _event(event, _payload(event), as_payload(event))


def _kazoo(event: StoredEvent) -> Json:
    frame = {"properties": {"name": {"const": event.name}, "data": _payload(event, ".kazoo")}}
    return _event(event, _both("EventFrame", frame), as_frame(event))


def _sse(event: StoredEvent) -> Json:
    fields = {"id": str(event.seq), "event": event.name}
    shown = _event(event, _enveloped(event), as_envelope(event), fields)
    return {**shown, "headers": _SSE_HEADERS}


def _webhook(event: StoredEvent) -> Json:
    headers = {
        "webhook-id": f"evt_{event.account_id}_{event.seq}",
        "webhook-timestamp": str(event.at // 1_000_000),
        "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    }
    shown = _event(event, _enveloped(event), as_envelope(event), headers)
    return {**shown, "headers": _WEBHOOK_HEADERS}


_FORMS: Mapping[str, Callable[[StoredEvent], Json]] = {
    "io": _socket_io,
    "kazoo": _kazoo,
    "sse": _sse,
    "webhook": _webhook,
}


def _payload(event: StoredEvent, form: str = "") -> Json:
    kind = KINDS.get(event.name)
    return ref("components", "schemas", f"{kind.__name__}{form}" if kind else "Gap")


def _enveloped(event: StoredEvent) -> Json:
    more = {"properties": {"type": {"const": event.name}, "data": _payload(event, ".v1")}}
    return _both("EventEnvelope", more)


def _both(schema: str, more: Json) -> Json:
    return {"allOf": [ref("components", "schemas", schema), {"type": "object", **more}]}


def _event(event: StoredEvent, payload: Json, example: Any, headers: Json | None = None) -> Json:
    kind = KINDS.get(event.name, Gap)
    made = _message(event.name, kind, payload, example, headers)
    return {**made, "tags": [{"name": event.category}]}


def _message(
    name: str, kind: type[Any], payload: Json, example: Any, headers: Json | None = None
) -> Json:
    shown = {"name": name, "payload": example}
    return {
        "name": name,
        "title": name,
        "summary": inspect.getdoc(kind) or "",
        "payload": payload,
        "examples": [{**shown, "headers": headers} if headers else shown],
    }
