"""The schemas of all that is said on the ways out of events, for the AsyncAPI document.

They come from the types that the code itself uses: ``events/payloads.py``, ``events/state.py``,
``events/envelope.py`` and ``socket_messages.py``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from trunkline.api.docs import socket_messages as said
from trunkline.events.envelope import EventEnvelope, key
from trunkline.events.payloads import KINDS, Gap, OfLeg

Json = dict[str, Any]


def ref(*path: str) -> Json:
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
