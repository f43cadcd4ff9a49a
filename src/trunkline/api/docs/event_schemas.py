"""The texts, servers and schemas that the AsyncAPI document is made of.

Schemas come from the types that the code itself uses: ``events/payloads.py``, ``events/state.py``,
``events/envelope.py`` and ``socket_messages.py``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from trunkline.api.docs import socket_messages as said
from trunkline.events.envelope import EventEnvelope, key
from trunkline.events.payloads import KINDS, Gap, OfLeg

Json = dict[str, Any]

INTRODUCTION = """\
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

ENVELOPE = """\
One shape for SSE, webhooks and `GET /v1/events`. In `data`, the payload has keys of lower case: `call_id` is
the call, and `leg_id` the leg that Socket.IO clients know as `Call-ID`.
"""

_HOST = {
    "host": {
        "default": "localhost:8080",
        "description": "The server, and its port where it is not the usual one.",
    }
}
SERVERS: Json = {
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

SECURITY_SCHEMES: Json = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "tlk_…",
        "description": "A key with the scope `events:read`.",
    }
}

WEBHOOK_HEADERS: Json = {
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

STREAM_QUERY: Json = {
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

SSE_HEADERS: Json = {
    "type": "object",
    "description": "The fields of the event stream.",
    "properties": {
        "id": {"type": "string", "description": "The number: sent back as `Last-Event-ID`."},
        "event": {"type": "string", "description": "The event's name."},
    },
}


def ref(*path: str) -> Json:
    """A reference to a part of the document."""
    return {"$ref": "#/" + "/".join(path)}


def schemas() -> Json:
    """All schemas: each payload as Socket.IO has it, by Kazoo's lower-case keys, and of ``/v1``."""
    types = [*KINDS.values(), Gap, EventEnvelope, *said.EXAMPLES, said.EventFrame]
    _, found = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    made = {name: _shown(schema) for name, schema in found.items()}
    for kind in KINDS.values():
        made[kind.__name__]["required"].append("Event-Seq")
        made[f"{kind.__name__}.kazoo"] = _lower(made[kind.__name__])
        made[f"{kind.__name__}.v1"] = _of_v1(kind, made[kind.__name__])
    made["Variables.lower"] = _lower(made["Variables"])
    return made


def _shown(schema: Json) -> Json:
    """A default is a constant of ours, and always sent."""
    made = {name: value for name, value in schema.items() if name != "properties"}
    fields = schema.get("properties", {})
    made["properties"] = {name: _without_default(field) for name, field in fields.items()}
    required = set(schema.get("required", ()))
    made["required"] = [
        name for name, field in fields.items() if name in required or "default" in field
    ]
    return made


def _without_default(field: Json) -> Json:
    return {name: value for name, value in field.items() if name != "default"}


def _lower(schema: Json) -> Json:
    """The schema with its keys in lower case; of two that become one, Kazoo's own stays."""
    fields: Json = {}
    for name, field in schema["properties"].items():
        if key(name) not in fields or "-" in name:
            fields[key(name)] = _lower_variables(field)
    required = list(dict.fromkeys(map(key, schema["required"])))
    return {**schema, "properties": fields, "required": required}


def _lower_variables(field: Json) -> Json:
    variables = "#/components/schemas/Variables"
    return (
        ref("components", "schemas", "Variables.lower") if field.get("$ref") == variables else field
    )


def _of_v1(kind: type[Any], schema: Json) -> Json:
    """In ``data`` of the envelope ``call_id`` is the call, and a leg has ``leg_id``."""
    made = _lower(schema)
    if not issubclass(kind, OfLeg):
        return made
    fields = schema["properties"]
    ids = {"call_id": fields["call_id"], "leg_id": fields["Call-ID"]}
    made["properties"] = {**made["properties"], **ids}
    made["required"] = [*made["required"], "leg_id"]
    return made
