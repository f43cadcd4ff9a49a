"""What the event sockets are built from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from trunkline.bus.port import Bus
from trunkline.events.bindings import Binding
from trunkline.live.http.addresses import Addresses
from trunkline.live.http.asgi import Headers, Scope, Send
from trunkline.live.limits import LiveLimits
from trunkline.store.ports.apps import ApiKey, Tokens
from trunkline.store.ports.database import Events
from trunkline.work.refused import Refused

Admit = Callable[[Scope, str], Awaitable[ApiKey]]
"""The key of a request that has this scope; raises Refused."""
Refuse = Callable[[Scope, Send, Refused], Awaitable[None]]
"""Answers a request with what it is refused for."""
ReadRequest = Callable[[Scope], tuple[tuple[Binding, ...], int | None]]
"""(which events, after which number): what a request for a stream asks for; raises Refused."""
AnswerHeaders = Callable[[Scope], Headers]
"""The headers of every answer to a request; with those of its key once it was admitted."""
AppGood = Callable[[str], Awaitable[bool]]
"""Is there such an app, enabled, of an enabled account? Asked again and again while it has something open."""
StillGood = Callable[[ApiKey], Awaitable[bool]]
"""Is a key that was admitted still good? Asked again and again while a stream is open."""


async def any_app(app_id: str) -> bool:  # noqa: ARG001
    """Where apps cannot be looked up."""
    return True


@dataclass(frozen=True)
class LiveDeps:
    """The edges and settings of the event sockets. ``clock`` gives unix microseconds."""

    events: Events
    tokens: Tokens
    bus: Bus
    clock: Callable[[], int]
    admit: Admit
    refuse: Refuse
    read_request: ReadRequest
    answer_headers: AnswerHeaders
    still_good: StillGood
    cors_origins: tuple[str, ...] = ("*",)
    limits: LiveLimits = field(default_factory=LiveLimits)
    addresses: Addresses = field(default_factory=Addresses)
    app_good: AppGood = any_app
