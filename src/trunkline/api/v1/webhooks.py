"""Webhook endpoints: add, see, change, switch, rotate, test and delete them."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from trunkline.api.v1.conventions.lists import ListQuery, listed
from trunkline.api.v1.conventions.routing import (
    MOST,
    Parameters,
    Request,
    RequestBody,
    Response,
    ResponseBody,
    Route,
    Time,
    alike,
)
from trunkline.api.v1.deliveries import OneDelivery, shown_delivery, webhook_of
from trunkline.calls.times import rfc3339, rfc3339_or_none
from trunkline.calls.words import WebhookStatus
from trunkline.delivery.webhook import Webhook

_Url = Annotated[
    str,
    Meta(
        description="Where to post to: https, at a public address, without user or password.",
        max_length=2048,
        examples=["https://example.com/hooks"],
    ),
]
_Events = Annotated[
    tuple[str, ...],
    Meta(
        description="Which events: bindings, as on the event sockets. None takes every event.",
        max_length=50,
        examples=[["call.CALL_ENDED.*", "device.#"]],
    ),
]
_Description = Annotated[str, Meta(description="For people.", max_length=200)]


class OneWebhook(Parameters, frozen=True, kw_only=True):
    webhook_id: Annotated[str, Meta(description="Its id.", max_length=64)]


class NewWebhook(RequestBody, frozen=True, kw_only=True):
    """An endpoint to be added."""

    url: _Url
    events: _Events = ()
    description: _Description = ""
    after: (
        Annotated[
            int,
            Meta(ge=0, le=MOST, description="Begin with what followed this number, not with now."),
        ]
        | None
    ) = None


class ChangedWebhook(RequestBody, frozen=True, kw_only=True):
    """What to change; what is left out stays."""

    url: _Url | None = None
    events: _Events | None = None
    description: _Description | None = None


class ShownWebhook(ResponseBody, frozen=True, kw_only=True):
    """An endpoint."""

    webhook_id: str
    url: str
    events: list[str]
    description: str
    state: Annotated[
        WebhookStatus,
        Meta(
            description="`suspended`: it did not answer for long. Only an enabled one is sent to."
        ),
    ]
    reason: Annotated[str, Meta(description="Why it was stopped; empty when it was by hand.")]
    given_up_to: Annotated[
        int, Meta(description="Events up to this number have been given to it to be delivered.")
    ]
    failing_since: Annotated[
        Time | None, Meta(description="The first failure since it answered; null: it answers.")
    ]
    previous_secret_until: Annotated[
        Time | None, Meta(description="Until when the secret before the rotation signs, too.")
    ]
    created_at: Time
    changed_at: Time


class WebhookSecret(ShownWebhook, frozen=True, kw_only=True):
    """An endpoint with its new secret, which is shown this once."""

    secret: Annotated[str, Meta(description="What to verify signatures with: `whsec_…`.")]


class WebhookPage(ResponseBody, frozen=True, kw_only=True):
    """Endpoints, oldest first."""

    webhooks: list[ShownWebhook]


async def list_webhooks(request: Request[ListQuery, None]) -> Response:
    """The account's endpoints, without their secrets."""
    read = request.context.deps.db.webhooks.listed
    return await listed(
        request,
        "webhooks",
        read,
        lambda rows: WebhookPage(webhooks=[_shown(row) for row in rows]),
    )


async def create_webhook(request: Request[Parameters, NewWebhook]) -> Response:
    """It is sent every event from now on that one of its filters matches, signed with the secret
    that this answer shows: keep it, it is not shown again."""
    webhook, secret = await request.context.deps.manage_webhooks.create(
        request.account_id,
        request.id,
        request.body.url,
        request.body.description,
        request.body.events,
        request.body.after,
    )
    location = (b"location", f"/v1/webhooks/{webhook.id}".encode())
    return Response(_with_secret(webhook, secret), headers=(location,))


async def read_webhook(request: Request[OneWebhook, None]) -> Response:
    """One endpoint, without its secret."""
    return Response(_shown(await webhook_of(request)))


async def change_webhook(request: Request[OneWebhook, ChangedWebhook]) -> Response:
    """What is pending goes to the new URL; new filters count for events that come from now on."""
    manage, body = request.context.deps.manage_webhooks, request.body
    changed = await manage.change(
        await webhook_of(request), url=body.url, description=body.description, events=body.events
    )
    return Response(_shown(changed))


async def delete_webhook(request: Request[OneWebhook, None]) -> Response:
    """It is sent nothing any more, and its deliveries are forgotten; not while a legal hold keeps them."""
    await request.context.deps.manage_webhooks.delete(await webhook_of(request))
    return Response()


async def enable_webhook(request: Request[OneWebhook, None]) -> Response:
    """It is sent all that came since it was stopped, as far as that is kept."""
    return Response(
        _shown(await request.context.deps.manage_webhooks.enable(await webhook_of(request)))
    )


async def disable_webhook(request: Request[OneWebhook, None]) -> Response:
    """It is sent nothing until it is enabled; events wait for it as long as they are kept."""
    return Response(
        _shown(await request.context.deps.manage_webhooks.disable(await webhook_of(request)))
    )


async def rotate_secret(request: Request[OneWebhook, None]) -> Response:
    """A new secret. For 24 hours requests are signed with the old one, too, so that neither side has
    to be quick."""
    manage = request.context.deps.manage_webhooks
    return Response(_with_secret(*await manage.rotate(await webhook_of(request), request.id)))


async def test_webhook(request: Request[OneWebhook, None]) -> Response:
    """Sends a signed sample (`WEBHOOK_TEST`) at once, whatever the endpoint's state, and tells what
    came back."""
    deps = request.context.deps
    return Response(
        await shown_delivery(deps.db, await deps.try_webhook(await webhook_of(request), request.id))
    )


def _shown(webhook: Webhook) -> ShownWebhook:
    return ShownWebhook(**_values(webhook))


def _with_secret(webhook: Webhook, secret: str) -> WebhookSecret:
    return WebhookSecret(**_values(webhook), secret=secret)


def _values(webhook: Webhook) -> dict[str, Any]:
    return alike(
        ShownWebhook.__struct_fields__,
        webhook,
        webhook_id=webhook.id,
        events=list(webhook.events),
        given_up_to=webhook.cursor,
        failing_since=rfc3339_or_none(webhook.failing_since),
        previous_secret_until=rfc3339_or_none(webhook.previous_until),
        created_at=rfc3339(webhook.created_at),
        changed_at=rfc3339(webhook.changed_at),
    )


_ONE = "/v1/webhooks/{webhook_id}"
_READ, _WRITE, _TAG = "webhooks:read", "webhooks:write", "Webhooks"

ROUTES = (
    Route("GET", "/v1/webhooks", _READ, list_webhooks, "List webhooks",
          parameters=ListQuery, answer=WebhookPage, tag=_TAG),
    Route("POST", "/v1/webhooks", _WRITE, create_webhook, "Add a webhook",
          body=NewWebhook, answer=WebhookSecret, status=201, tag=_TAG,
          problems=("webhook_url_refused", "webhook_invalid", "webhook_limit")),
    Route("GET", _ONE, _READ, read_webhook, "Look at a webhook",
          parameters=OneWebhook, answer=ShownWebhook, tag=_TAG),
    Route("PATCH", _ONE, _WRITE, change_webhook, "Change a webhook",
          parameters=OneWebhook, body=ChangedWebhook, answer=ShownWebhook, tag=_TAG,
          problems=("webhook_url_refused", "webhook_invalid")),
    Route("DELETE", _ONE, _WRITE, delete_webhook, "Delete a webhook",
          parameters=OneWebhook, status=204, tag=_TAG, problems=("webhook_held",)),
    Route("POST", f"{_ONE}/enable", _WRITE, enable_webhook, "Enable a webhook",
          parameters=OneWebhook, answer=ShownWebhook, tag=_TAG),
    Route("POST", f"{_ONE}/disable", _WRITE, disable_webhook, "Disable a webhook",
          parameters=OneWebhook, answer=ShownWebhook, tag=_TAG),
    Route("POST", f"{_ONE}/rotate", _WRITE, rotate_secret, "Take a new secret",
          parameters=OneWebhook, answer=WebhookSecret, tag=_TAG),
    Route("POST", f"{_ONE}/test", _WRITE, test_webhook, "Test a webhook",
          parameters=OneWebhook, answer=OneDelivery, tag=_TAG),
)  # fmt: skip
