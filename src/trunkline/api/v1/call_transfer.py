"""What may be done to a call while it lives."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from trunkline.api.v1.call import OneCall
from trunkline.api.v1.conventions.routing import Request, RequestBody, Response, ResponseBody, Route
from trunkline.work.control.transfer_call import TransferWanted


class Transfer(RequestBody, frozen=True, kw_only=True):
    """A blind transfer: a phone leaves the call, and whom it talks with is led to a number."""

    to: Annotated[
        str,
        Meta(
            description="A number or an extension; spaces, dots, dashes and brackets are dropped.",
            min_length=1,
            max_length=100,
        ),
    ]
    leg: (
        Annotated[
            str,
            Meta(
                description="The Call-ID of the leg that leaves: a phone's of the account. It may be left "
                "out where only one of their phones talks.",
                max_length=255,
            ),
        ]
        | None
    ) = None


class ShownTransfer(ResponseBody, frozen=True, kw_only=True):
    """What has been done; events tell what comes of it."""

    call_id: str
    leg: Annotated[str, Meta(description="The leg that left.")]
    to: Annotated[str, Meta(description="The number that the other party is led to.")]


async def transfer_call(request: Request[OneCall, Transfer]) -> Response:
    """Have a phone leave the call, and lead whom it talks with to another number, under the rights of
    that phone and with its caller ID. The answer does not wait for anybody to pick up. It is the same
    call: it keeps its id, and gives one record."""
    call_id = request.parameters.call_id
    done = await request.context.deps.transfer_call(
        TransferWanted(
            account_id=request.account_id,
            call_id=call_id,
            to=request.body.to,
            leg_id=request.body.leg,
            by=f"key {request.key.id}",
        )
    )
    return Response(ShownTransfer(call_id=call_id, leg=done.leg_id, to=done.to))


_CODES = (
    "number_invalid", "destination_not_allowed", "call_over", "not_transferable", "engine_unavailable",
)  # fmt: skip

ROUTES = (
    Route("POST", "/v1/calls/{call_id}/transfer", "calls:write", transfer_call, "Transfer a call",
          parameters=OneCall, body=Transfer, answer=ShownTransfer, tag="Calls", problems=_CODES),
)  # fmt: skip
