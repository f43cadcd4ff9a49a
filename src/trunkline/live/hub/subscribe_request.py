"""A client's request to subscribe, read from JSON that nobody has checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from trunkline.events.bindings import Binding, BindingInvalid, parse


class BadRequest(Exception):
    """The request cannot be granted, whoever asks; the message says why."""


class SubscriptionRequest(msgspec.Struct, frozen=True):
    """A well-formed subscribe."""

    account_id: str
    bindings: tuple[Binding, ...]
    after: int | None


def read(data: object, limit: int) -> SubscriptionRequest:
    """Read the data of a subscribe, at most ``limit`` bindings; raises BadRequest."""
    given: Mapping[str, Any] = data if isinstance(data, dict) else {}
    texts, account_id = binding_texts(given), given.get("account_id")
    missing = [
        name for name, value in (("account_id", account_id), ("binding", texts)) if not value
    ]
    if missing:
        raise BadRequest(f"missing required keys : {', '.join(missing)}")
    if not isinstance(account_id, str):
        raise BadRequest("unauthorized account id")
    return SubscriptionRequest(
        account_id, _all_parsed(texts, limit), _event_seq(given.get("after"))
    )


def _all_parsed(texts: list[Any], limit: int) -> tuple[Binding, ...]:
    if len(texts) > limit:
        raise BadRequest(f"too many subscriptions: at most {limit} on one connection")
    return tuple(_parsed(text) for text in texts)


def binding_texts(given: Mapping[str, Any]) -> list[Any]:
    """The bindings as written: ``binding`` where it is given, as in Kazoo, else ``bindings``."""
    one, several = given.get("binding"), given.get("bindings")
    if one is not None and one != "":
        return [one]
    if several is None:
        return []
    return several if isinstance(several, list) else [several]


def _event_seq(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadRequest("after is an Event-Seq: a whole number, 0 or more")
    return value


def _parsed(text: object) -> Binding:
    if not isinstance(text, str):
        raise BadRequest("a binding is a string, such as call.CHANNEL_CREATE.*")
    try:
        return parse(text)
    except BindingInvalid as error:
        raise BadRequest(str(error)) from None
