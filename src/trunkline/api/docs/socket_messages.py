"""What clients say on the event sockets, and what they are answered, for the AsyncAPI document.

The sockets themselves read these messages more leniently than the types say (``live/``).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

AccountId = Annotated[str, Meta(description="The token's account.", pattern="^[0-9a-f]{32}$")]
Token = Annotated[
    str, Meta(description="From `POST /oapi/v1/voice/auth_token`.", pattern="^[0-9a-f]{32}$")
]
Binding = Annotated[
    str,
    Meta(description="`category.EVENT.id`, see the introduction.", examples=["call.CALL_ENDED.*"]),
]
After = (
    Annotated[
        int, Meta(description="The last number that you have: what follows is replayed.", ge=0)
    ]
    | UnsetType
)


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Subscribe(_Said, frozen=True, kw_only=True):
    """Hear the events that a binding matches. One binding a message."""

    account_id: AccountId
    auth_token: Token
    binding: Binding
    after: After = UNSET


class Unsubscribe(_Said, frozen=True, kw_only=True):
    """Hear no more of a binding, or of anything."""

    binding: Annotated[str, Meta(description="Without it: all.")] | UnsetType = UNSET


class Acknowledged(_Said, frozen=True, kw_only=True):
    """The acknowledgement, where the client asked for one."""

    status: Literal["success", "error"]
    subscribed: (
        Annotated[
            list[str], Meta(description="What was granted; after `unsubscribe`, what is left.")
        ]
        | UnsetType
    ) = UNSET
    unsubscribed: list[str] | UnsetType = UNSET
    message: Annotated[str, Meta(description="Why not.")] | UnsetType = UNSET


class AuthFailure(_Said, frozen=True, kw_only=True):
    """The token is missing, wrong or expired. The connection stays."""

    message: str


class Failure(_Said, frozen=True, kw_only=True):
    """Anything else that is wrong."""

    message: str
    resume_after: (
        Annotated[
            int, Meta(description="You were cut off: connect again, and send this as `after`.")
        ]
        | UnsetType
    ) = UNSET


class Wanted(_Said, frozen=True, kw_only=True):
    """What to hear: ``binding`` takes one, ``bindings`` several, all or none of which are granted."""

    account_id: AccountId
    binding: Binding | UnsetType = UNSET
    bindings: list[Binding] | UnsetType = UNSET
    after: After = UNSET


class SubscribeFrame(_Said, frozen=True, kw_only=True, tag_field="action", tag="subscribe"):
    """Hear the events that the bindings match."""

    auth_token: (
        Annotated[str, Meta(description="Has to be shown once on a connection.")] | UnsetType
    ) = UNSET
    request_id: Annotated[str, Meta(description="Comes back in the reply.")] | UnsetType = UNSET
    data: Wanted


class UnsubscribeFrame(_Said, frozen=True, kw_only=True, tag_field="action", tag="unsubscribe"):
    """Hear no more of the bindings; without ``data``, of anything."""

    auth_token: str | UnsetType = UNSET
    request_id: str | UnsetType = UNSET
    data: Wanted | UnsetType = UNSET


class PingFrame(_Said, frozen=True, kw_only=True, tag_field="action", tag="ping"):
    """Are you there?"""


class Pong(_Said, frozen=True, kw_only=True):
    """Yes."""

    response: Literal["pong"] = "pong"


class Granted(_Said, frozen=True, kw_only=True):
    """What came of the frame."""

    subscribed: list[str] | UnsetType = UNSET
    unsubscribed: list[str] | UnsetType = UNSET
    subscriptions: Annotated[list[str], Meta(description="All that stand now.")] | UnsetType = UNSET
    errors: Annotated[list[str], Meta(description="What is wrong with it.")] | UnsetType = UNSET


class ReplyFrame(_Said, frozen=True, kw_only=True, tag_field="action", tag="reply"):
    """The answer to a frame."""

    request_id: str | UnsetType = UNSET
    status: Literal["success", "error"]
    data: Granted


class EventFrame(_Said, frozen=True, kw_only=True, tag_field="action", tag="event"):
    """An event, in Kazoo 4's frame; ``data`` is the payload with Kazoo's lower-case keys."""

    subscribed_key: Annotated[str, Meta(description="The binding that it came by.")]
    subscription_key: Annotated[str, Meta(description="The same, with the account.")]
    name: Annotated[str, Meta(description="The event's name.")]
    routing_key: Annotated[str, Meta(description="`category.ACCOUNT.EVENT.id`")]


ACCOUNT = "2bcfc1086d9c296d8c0b47d48ce06dec"
TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"  # noqa: S105  # an example
_CALLS, _PHONES = "call.CALL_ENDED.*", "device.*.*"
_WANTED = Wanted(account_id=ACCOUNT, bindings=[_CALLS, _PHONES], after=41)

EXAMPLES: dict[type[_Said], _Said] = {
    type(said): said
    for said in (
        Subscribe(account_id=ACCOUNT, auth_token=TOKEN, binding=_CALLS, after=41),
        Unsubscribe(binding=_CALLS),
        Acknowledged(status="success", subscribed=[_CALLS]),
        AuthFailure(message="invalid auth token"),
        Failure(message="too slow: resume after 57", resume_after=57),
        SubscribeFrame(auth_token=TOKEN, request_id="1", data=_WANTED),
        UnsubscribeFrame(request_id="2", data=Wanted(account_id=ACCOUNT, binding=_PHONES)),
        PingFrame(),
        Pong(),
        ReplyFrame(
            request_id="1",
            status="success",
            data=Granted(subscribed=[_CALLS, _PHONES], subscriptions=[_CALLS, _PHONES]),
        ),
    )
}
"""What each of them looks like."""
