"""What a route of /v1 is, what its function is request, and what it gives back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec

from trunkline.api.http.answers import Headers
from trunkline.api.http.deps import ApiDeps
from trunkline.api.v1.conventions.cursors import Cursors
from trunkline.api.v1.conventions.key_auth import KeyAuth
from trunkline.api.v1.conventions.long_polls import LongPolls
from trunkline.api.v1.conventions.problems import PROBLEMS
from trunkline.api.v1.conventions.rate_limits import KeyRates
from trunkline.calls.times import Time as Time
from trunkline.directory.api_keys import SCOPES
from trunkline.store.ports.apps import ApiKey


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What stands in the path and the query: whole numbers, texts, choices, and lists of texts.

    A list may be sent comma-separated or by repeating its name; all else only once. A field's
    description stands in its ``msgspec.Meta``; a field without a default has to be sent.
    """


class RequestBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a JSON body holds; a field's description stands in its ``msgspec.Meta``."""


class ResponseBody(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer shows; all keys are always there, null where there is nothing to say."""


def alike(names: Iterable[str], of: object, **more: Any) -> dict[str, Any]:
    """What ``of`` has under these names; ``more`` goes before it."""
    return {name: more[name] if name in more else getattr(of, name) for name in names}


Limit = Annotated[int, msgspec.Meta(ge=1, le=1000, description="How many at most.")]
Cursor = Annotated[str, msgspec.Meta(description="From the `Link` header of the page before.")]
MOST = 2**53 - 1
"""The largest whole number that every JSON reader can hold."""

P = TypeVar("P", bound=Parameters)
B = TypeVar("B", bound=RequestBody | None)


@dataclass(frozen=True, slots=True)
class Context:
    deps: ApiDeps
    auth: KeyAuth
    rates: KeyRates
    cursors: Cursors
    polls: LongPolls


@dataclass(frozen=True, slots=True)
class Request(Generic[P, B]):
    """A request that was admitted and understood."""

    key: ApiKey
    parameters: P
    body: B
    id: str
    """32 hex digits for what this request makes; the same ones when it is repeated by its key."""
    now: int
    context: Context
    gone: Callable[[], Awaitable[None]]
    """Returns when the client is gone: for requests that wait."""
    base_url: str = ""
    """How this server is reached, for absolute links."""

    @property
    def account_id(self) -> str:
        return self.key.account_id


@dataclass(frozen=True, slots=True)
class Response:
    """What a function gives: a value of the route's ``answer`` (anything msgspec encodes alike).

    ``next`` is the query of the page that follows: it becomes ``Link: <…>; rel="next"``.
    """

    value: Any = None
    status: int | None = None
    headers: Headers = ()
    next: Sequence[tuple[str, str | int]] | None = None
    stream: AsyncIterator[bytes] | None = None
    """In place of a value, with a Content-Type among the headers: sent as fast as it is taken."""


Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Function = Callable[[Request[Any, Any]], Awaitable[Response]]

_IN_PATH = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class Route:
    """One endpoint. ``scope`` None admits every key; ``answer`` None has no body.

    ``problems`` are codes beyond those that follow from the rest (see ``codes``). The docstring of
    ``function`` is the description in the OpenAPI document.
    """

    method: Method
    path: str
    scope: str | None
    function: Function
    summary: str
    parameters: type[Parameters] = Parameters
    body: type[RequestBody] | None = None
    answer: Any = None
    status: int = 200
    tag: str = "Account"
    problems: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    """Of an answer that is sent in pieces; it has no schema."""

    def __post_init__(self) -> None:
        """Raises ValueError for what could not be served."""
        fields = set(self.parameters.__struct_fields__)
        if not set(self.in_path) <= fields:
            raise ValueError(f"{self.path}: {self.parameters.__name__} lacks a part of the path")
        if self.scope is not None and self.scope not in SCOPES:
            raise ValueError(f"{self.path}: there is no scope {self.scope}")
        if unknown := set(self.problems) - set(PROBLEMS):
            raise ValueError(f"{self.path}: there is no code {sorted(unknown)}")

    @property
    def in_path(self) -> list[str]:
        return _IN_PATH.findall(self.path)

    @property
    def changes(self) -> bool:
        """May it be sent with an Idempotency-Key?"""
        return self.method != "GET"

    @property
    def codes(self) -> list[str]:
        """Every code that it may answer with."""
        codes = ["key_missing", "key_invalid", "locked_out", "rate_limited", "parameters_invalid"]
        if self.scope is not None:
            codes.append("scope_missing")
        if self.in_path:
            codes.append("not_found")
        if self.changes:
            codes += ["body_invalid", "body_too_large", "idempotency_key_invalid"]
            codes += ["idempotency_key_reused", "idempotency_in_progress"]
        if "cursor" in self.parameters.__struct_fields__:
            codes.append("cursor_invalid")
        return [*codes, *self.problems, "method_not_allowed", "unavailable", "internal"]
