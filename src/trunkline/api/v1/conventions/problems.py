"""Every error of /v1, and the one shape in which it is told: RFC 9457, application/problem+json.

``code`` is stable and what programs should go by; ``type`` leads to a page about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import structlog
from litestar.types import HTTPScope

from trunkline.api.http.answers import NO_STORE, Answer, Headers
from trunkline.api.http.request import base_url
from trunkline.work.refused import Refused

_log = structlog.get_logger()

PROBLEM_JSON = (b"content-type", b"application/problem+json")


class ProblemKind(NamedTuple):
    """What a code means: its HTTP status, a title, what to do, and when to try again (seconds)."""

    status: int
    title: str
    advice: str
    retry_after: int | None = None


PROBLEMS: dict[str, ProblemKind] = {
    "key_missing": ProblemKind(
        401, "No key was sent.", "Send the header `Authorization: Bearer tlk_…`."
    ),
    "key_invalid": ProblemKind(
        401,
        "The key is not good.",
        "It may be mistyped, revoked, expired, or not for this address; "
        "`trunkline key list` shows which. All four get this one answer.",
    ),
    "scope_missing": ProblemKind(
        403,
        "The key may not do this.",
        "Make a key that has the scope that `detail` names, with `trunkline key create`.",
    ),
    "parameters_invalid": ProblemKind(
        400,
        "A parameter cannot be taken.",
        "`errors` names each one and says what was expected. Parameters that are not known are refused.",
    ),
    "body_invalid": ProblemKind(
        400,
        "The body is not what is asked for.",
        "`errors` has a JSON pointer (RFC 6901) to the place. Fields that are not known are refused.",
    ),
    "body_too_large": ProblemKind(413, "The body is too large.", "Send at most 64 KiB."),
    "cursor_invalid": ProblemKind(
        400,
        "The cursor is not one of this list.",
        "Take it from the `Link` header of the page before, unchanged, or begin without one.",
    ),
    "not_found": ProblemKind(
        404,
        "There is nothing here.",
        "Check the path and the id; what another account has is not found either.",
    ),
    "method_not_allowed": ProblemKind(
        405, "This path takes other methods.", "The `Allow` header lists them."
    ),
    "call_live": ProblemKind(
        409,
        "The call is not over yet.",
        "Notes, tags and holds are for finished calls: wait for its end.",
    ),
    "call_over": ProblemKind(
        409,
        "The call is over.",
        "Live calls alone can be controlled; see `GET /v1/calls/{call_id}`.",
    ),
    "not_transferable": ProblemKind(
        409,
        "The call cannot be transferred so.",
        "A phone of the account has to talk with somebody in it. `detail` says what is wrong, and which "
        "`leg` may be named.",
    ),
    "number_invalid": ProblemKind(
        400,
        "The number cannot be dialled.",
        "Send 2 to 20 digits, which may begin with +, or an extension.",
    ),
    "destination_not_allowed": ProblemKind(
        403,
        "The account may not call this number.",
        "See `--allow` and `--deny` of `trunkline account create`, and whether there is a trunk.",
    ),
    "engine_unavailable": ProblemKind(
        503, "The phone system cannot do this now.", "Try again a little later.", 5
    ),
    "format_unavailable": ProblemKind(
        400,
        "This server cannot make that format.",
        "Parquet needs `pip install 'pyarrow>=17'` on the server; `csv` and `jsonl` always work.",
    ),
    "event_gone": ProblemKind(
        410,
        "The event is not kept any more.",
        "Events are kept for the days that the setting `event_days` says.",
    ),
    "webhook_url_refused": ProblemKind(
        400,
        "The URL of the webhook cannot be used.",
        "Take an https URL at a public address, without user or password. Addresses of the server's own "
        "networks are for whoever runs it to allow, with the setting `webhook_allow`.",
    ),
    "webhook_invalid": ProblemKind(
        400,
        "The webhook cannot be like that.",
        "`detail` says what is wrong: an event filter, the description, or `after`.",
    ),
    "webhook_held": ProblemKind(
        409,
        "A legal hold keeps the webhook's deliveries.",
        "Disable the webhook, and delete it once its account, or the call, is on hold no more.",
    ),
    "webhook_limit": ProblemKind(
        409, "The account has as many webhooks as it may have.", "Delete one that is not needed."
    ),
    "range_invalid": ProblemKind(
        400,
        "These events cannot be sent again.",
        "Say from which number or from what time on, at most 100,000 numbers at a time.",
    ),
    "stats_too_large": ProblemKind(
        400,
        "The statistics would have too many points.",
        "Take a shorter window, a longer `interval`, or fewer keys with another `group_by`: at most 1,000 "
        "intervals and 10,000 points, over 10 years.",
    ),
    "idempotency_key_invalid": ProblemKind(
        400, "The Idempotency-Key cannot be taken.", "Send 1 to 255 visible ASCII characters, once."
    ),
    "idempotency_key_reused": ProblemKind(
        422,
        "The Idempotency-Key came with another request.",
        "Take a new key for each request that is meant to do something of its own.",
    ),
    "idempotency_in_progress": ProblemKind(
        409,
        "The first request of this Idempotency-Key is under way.",
        "Send the same request again a little later: it gets the first one's answer.",
        1,
    ),
    "rate_limited": ProblemKind(
        429,
        "Too many requests.",
        "Wait as `Retry-After` says; `RateLimit` tells beforehand how much is left.",
        1,
    ),
    "locked_out": ProblemKind(
        429,
        "Too many wrong keys came from this address.",
        "Wait as `Retry-After` says, and send a key that is good: good keys are let in meanwhile.",
        1,
    ),
    "too_many_waiting": ProblemKind(
        429,
        "Too many requests of this account are waiting for events.",
        "Let fewer wait at a time, or take the stream.",
        1,
    ),
    "unavailable": ProblemKind(
        503, "This cannot be done just now.", "Try again a little later.", 5
    ),
    "internal": ProblemKind(
        500, "Something went wrong here.", "`request_id` leads to the server's log."
    ),
}
"""Code -> what it means."""


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong with a request: where (one of the two), and what was expected."""

    detail: str
    parameter: str | None = None
    """A parameter of the query or a header."""
    pointer: str | None = None
    """A place in the body (RFC 6901); empty for all of it."""


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: tuple[Fault, ...] = ()


class Problem(Refused):
    """A refusal by /v1; ``errors`` say what is wrong with the request, ``headers`` go along."""

    def __init__(
        self,
        code: str,
        detail: str,
        retry_after: int | None = None,
        errors: Sequence[Fault] = (),
        headers: Headers = (),
    ) -> None:
        super().__init__(code, detail, retry_after)
        self.errors = tuple(errors)
        self.headers = headers


def problem(
    code: str,
    detail: str = "",
    *,
    retry_after: int | None = None,
    errors: Sequence[Fault] = (),
    headers: Headers = (),
) -> Problem:
    """A refusal with the code's title as its detail, unless there is a better one."""
    kind = PROBLEMS[code]
    return Problem(code, detail or kind.title, retry_after or kind.retry_after, errors, headers)


def parameters_invalid(faults: Sequence[Fault]) -> Problem:
    """The refusal of a query or of headers, which names all of the faults."""
    named = ", ".join(fault.parameter for fault in faults if fault.parameter)
    return problem("parameters_invalid", f"Cannot be taken: {named or 'the query'}.", errors=faults)


_encode = msgspec.json.Encoder().encode


class Problems:
    """Makes answers of refusals. ``docs`` says whether the pages that ``type`` names are served."""

    def __init__(self, public_url: str, docs: bool) -> None:
        self._public_url = public_url
        self._docs = docs

    def answer(self, scope: HTTPScope, refused: Refused, extra: Headers = ()) -> Answer:
        """The answer to a refused request, with the rate limit's headers if a key was read."""
        code = _code(refused)
        kind = PROBLEMS[code]
        body = ProblemDetails(
            type=self._type(scope, code),
            title=kind.title,
            status=kind.status,
            detail=refused.detail,
            code=code,
            request_id=str(state(scope).get("request_id", "")),
            errors=getattr(refused, "errors", ()),
        )
        headers = (PROBLEM_JSON, NO_STORE, *_headers(kind, refused), *extra, *limits_told(scope))
        return Answer(_encode(body), kind.status, headers)

    def _type(self, scope: HTTPScope, code: str) -> str:
        """A page about the code; a name for it (RFC 8141) where no pages are served."""
        if not self._docs:
            return f"urn:trunkline:problem:{code}"
        return f"{base_url(scope, self._public_url)}/docs/errors/{code}"


def _code(refused: Refused) -> str:
    """Verbs refuse in the contract's spelling, DEVICE_OFFLINE; here it is device_offline."""
    code = refused.code.lower()
    if code not in PROBLEMS:
        _log.error("a refusal that /v1 has no code for", code=refused.code, detail=refused.detail)
        return "internal"
    return code


def _headers(kind: ProblemKind, refused: Refused) -> Headers:
    wait = refused.retry_after or kind.retry_after
    told = () if wait is None else ((b"retry-after", str(wait).encode()),)
    return (*told, *getattr(refused, "headers", ()))


def state(scope: HTTPScope) -> dict[str, Any]:
    """What this exchange remembers; made where no middleware has been."""
    remembered: dict[str, Any] = scope.setdefault("state", {})
    return remembered


def limits_told(scope: HTTPScope) -> Headers:
    """The RateLimit headers of the exchange; none where no key was read."""
    told: Headers = state(scope).get("rate_limit", ())
    return told
