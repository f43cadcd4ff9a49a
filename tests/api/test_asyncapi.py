"""The AsyncAPI document: valid by the official schema, and true to what the code sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import msgspec
import pytest

from trunkline.api.docs.asyncapi import asyncapi_document
from trunkline.api.docs.event_examples import as_frame, examples
from trunkline.events.bindings import parse
from trunkline.events.of_call import CALL_EVENTS, DEVICE_EVENTS, TRUNK_EVENTS, WEBHOOK_EVENTS
from trunkline.events.payloads import KINDS, AnyEvent
from trunkline.live.hub.wire import Encoding, Wire

from .make_event_examples import FILE, made
from .test_document import references

DOCUMENT: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(asyncapi_document()))
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
NAMES = {*CALL_EVENTS, *DEVICE_EVENTS, *TRUNK_EVENTS, *WEBHOOK_EVENTS}


@pytest.fixture
def official(root: Path) -> dict[str, Any]:
    """AsyncAPI's own JSON schema of AsyncAPI 3.0 (tests/need.sh installs it)."""
    file = root / "tests/js/node_modules/@asyncapi/specs/schemas/3.0.0.json"
    found: dict[str, Any] = msgspec.json.decode(file.read_bytes())
    return found


def test_it_is_valid(official: dict[str, Any]) -> None:
    validator = jsonschema_rs.validator_for(official)
    assert [str(error) for error in validator.iter_errors(DOCUMENT)] == []


def test_the_official_schema_finds_a_mistake(official: dict[str, Any]) -> None:
    validator = jsonschema_rs.validator_for(official)
    assert not validator.is_valid({**DOCUMENT, "operations": {"x": {"action": "shout"}}})


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        node: Any = DOCUMENT
        for key in reference.removeprefix("#/").split("/"):
            node = node[key]


@pytest.mark.parametrize("channel", ["socketIo", "webSocket", "stream", "webhook"])
def test_every_event_is_on_every_way_out(channel: str) -> None:
    assert set(KINDS) == NAMES
    assert {*NAMES, "GAP"} <= set(DOCUMENT["channels"][channel]["messages"])


@pytest.mark.parametrize("name", MESSAGES)
def test_an_example_is_what_its_schema_says(name: str) -> None:
    message = MESSAGES[name]
    schema = {**message["payload"], "components": DOCUMENT["components"]}
    validator = jsonschema_rs.validator_for(schema)
    for example in message["examples"]:
        assert [str(error) for error in validator.iter_errors(example["payload"])] == []
        assert set(example.get("headers", {})) == set(
            message.get("headers", {}).get("properties", {})
        )


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_schema_names_every_key_that_is_sent(name: str) -> None:
    data = {
        "io": MESSAGES[f"io.{name}"]["examples"][0]["payload"],
        "kazoo": MESSAGES[f"kazoo.{name}"]["examples"][0]["payload"]["data"],
        "v1": MESSAGES[f"sse.{name}"]["examples"][0]["payload"]["data"],
    }
    kind = KINDS[name].__name__
    schemas = {"io": kind, "kazoo": f"{kind}.kazoo", "v1": f"{kind}.v1"}
    for form, schema in schemas.items():
        known = DOCUMENT["components"]["schemas"][schema]["properties"]
        assert set(data[form]) <= set(known)


def test_the_examples_are_of_recorded_calls() -> None:
    assert FILE.read_bytes() == made(), "run PYTHONPATH=tests python -m api.make_event_examples"
    assert set(examples()) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_example_is_what_the_raw_websocket_sends(name: str) -> None:
    event = examples()[name]
    sent = Wire(event).frame(Encoding.KAZOO_WS, parse(f"{event.category}.{name}.*"))
    assert isinstance(sent, bytes)

    assert msgspec.json.decode(sent[sent.index(b'{"action"') :]) == as_frame(event)
    assert type(msgspec.json.decode(event.body, type=AnyEvent)) is KINDS[name]


async def test_it_is_served(client: httpx.AsyncClient) -> None:
    answer = await client.get("/asyncapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == DOCUMENT
