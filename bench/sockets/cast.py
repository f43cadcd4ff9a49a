"""Who takes part in a measurement of sockets: accounts, their tokens, what happens to them."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from trunkline.bus.port import Bus
from trunkline.events.bindings import parse
from trunkline.live import LiveDeps, LiveLimits
from trunkline.store.ports.apps import ApiKey, TokenOwner, Tokens

EVERYTHING = "call.#"
AFTER = "@AFTER@"
"""receiver.c puts in what the client has."""
WS_PATH = "/oapi/v1/voice/events"
SSE_PATH = "/v1/events/stream"
SIO_PATH = "/socket.io/?EIO=4&transport=websocket"


def account(number: int) -> str:
    """The id of an account."""
    return f"{number:032x}"


def token(number: int) -> str:
    """The token of an account."""
    return hashlib.md5(b"token %d" % number).hexdigest()


class EveryToken:
    """``db.port.Tokens``: one for each account, valid for ever."""

    def __init__(self, accounts: int) -> None:
        self._owners = {digest(token(number)): account(number) for number in range(accounts)}

    async def add(self, token_hash: str, app_id: str, account_id: str, expires: int) -> None:
        raise NotImplementedError

    async def owner(self, token_hash: str, now: int) -> TokenOwner | None:
        found = self._owners.get(token_hash)
        return TokenOwner(app_id=found, account_id=found) if found else None


def digest(given: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(given.encode()).hexdigest()


def live_deps(events: Any, tokens: Tokens, bus: Bus, **limits: Any) -> LiveDeps:
    """The sockets' edges; what one app may have is enough for everybody."""
    enough = {
        "connections_per_app": 100_000,
        "commands_per_second": 1_000_000,
        "streams_per_key": 100_000,
    }
    return LiveDeps(
        events=events,
        tokens=tokens,
        bus=bus,
        clock=clock,
        admit=_admit,
        refuse=_refuse,
        read_request=lambda _: ((parse("call.#"),), None),
        answer_headers=lambda _: (),
        still_good=_still_good,
        limits=LiveLimits(**enough, **limits),
    )


async def _admit(scope: Any, wanted: str) -> ApiKey:
    """Every request has the first account's key."""
    return ApiKey("key", account(0), "bench", frozenset({wanted}), ())


async def _still_good(key: ApiKey) -> bool:
    return True


async def _refuse(scope: Any, send: Any, refused: Exception) -> None:
    raise refused


def clock() -> int:
    """Unix microseconds."""
    return time.time_ns() // 1000


def subscribe_ws(account_id: str, auth_token: str, **more: Any) -> str:
    """What a raw WebSocket client subscribes with (see receiver.c)."""
    data = {"account_id": account_id, "binding": EVERYTHING, **more}
    frame = {"action": "subscribe", "auth_token": auth_token, "request_id": "1", "data": data}
    return json.dumps(frame).replace(f'"{AFTER}"', AFTER)


def subscribe_sio(account_id: str, auth_token: str, **more: Any) -> str:
    """The argument of a Socket.IO client's ``subscribe``."""
    data = {"account_id": account_id, "auth_token": auth_token, "binding": EVERYTHING, **more}
    return json.dumps(data).replace(f'"{AFTER}"', AFTER)


def subscribe_sse() -> str:
    """The query and the Authorization header of a stream of server-sent events."""
    return "?types=call.%23 Bearer any"


def payload() -> dict[str, Any]:
    """A CHANNEL_ANSWER as the product words it, all but its number; Msg-ID is the time in ns."""
    return {
        "Event-Category": "call_event",
        "Event-Name": "CHANNEL_ANSWER",
        "Timestamp": 63_899_593_200,
        "Msg-ID": f"@{time.monotonic_ns():019}",
        "Call-ID": "1732374000.17",
        "Call-Direction": "outbound",
        "Caller-ID-Name": "Hồng Nguyễn",
        "Caller-ID-Number": "101",
        "Callee-ID-Number": "0281234567",
        "From": "101@trunkline",
        "To": "0281234567@trunkline",
        "Request": "0281234567@trunkline",
        "Presence-ID": "sip-agent-101@trunkline",
        "Media-Server": "pbx.example.com",
        "Other-Leg-Call-ID": "1732374000.16",
        "Other-Leg-Direction": "outbound",
        "Other-Leg-Caller-ID-Number": "101",
        "Other-Leg-Destination-Number": "0281234567",
        "Custom-Channel-Vars": {
            "Account-ID": account(0),
            "Authorizing-ID": "9d1c3a3f7a2e4d0c8b6e5f4a3b2c1d0e",
            "Authorizing-Type": "device",
            "Owner-ID": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
            "Username": "agent",
            "Realm": "trunkline",
            "Call-Interaction-ID": "5b0c1f9aa54f4e3f8c25d54c0bd5f3a1",
            "Client-Ref": "ticket-4711",
        },
        "call_id": "5b0c1f9aa54f4e3f8c25d54c0bd5f3a1",
        "clientRef": "ticket-4711",
        "Event-Time": "2026-11-23T15:00:00.123Z",
        "State": {"state": "answered", "started_at": "2026-11-23T14:59:48.003Z", "legs": 2},
    }
