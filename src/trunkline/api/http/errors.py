"""Every error code outside ``/v1``, its status, and the one shape in which it is told.

``{"success": false, "message": CODE, "detail": a sentence, "request_id": the X-Request-Id}``
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from trunkline.work.refused import Refused


class ErrorKind(NamedTuple):
    """What a code means: its HTTP status, a sentence, and when to try again (seconds), if ever."""

    status: int
    sentence: str
    retry_after: int | None = None


ERRORS: dict[str, ErrorKind] = {
    "APPID_MISSING": ErrorKind(401, "The app id or the hash was not sent."),
    "APPID_NOT_FOUND": ErrorKind(401, "There is no such app, or it may not be used from here."),
    "HASH_NOT_MATCH": ErrorKind(401, "The hash or the signature is wrong."),
    "SIP_AUTH_FAILED": ErrorKind(401, "The device is not known, or its password is wrong."),
    "TOKEN_INVALID": ErrorKind(401, "The bearer token is missing or wrong."),
    "METHOD_NOT_SUPPORT": ErrorKind(405, "This path takes other methods; see Allow."),
    "NOT_FOUND": ErrorKind(404, "There is nothing at this path."),
    "DEVICE_OFFLINE": ErrorKind(400, "The device is not registered, or it does not answer."),
    "NUMBER_INVALID": ErrorKind(400, "The number cannot be dialled."),
    "DESTINATION_NOT_ALLOWED": ErrorKind(403, "The account may not call this number."),
    "DATE_REQUIRED": ErrorKind(400, "created_from and created_to are both required."),
    "DATE_INVALID": ErrorKind(400, "A date is not ISO 8601, nor unix seconds or milliseconds."),
    "RANGE_INVALID": ErrorKind(400, "created_to is before created_from."),
    "RANGE_TOO_LARGE": ErrorKind(400, "created_from and created_to are over 31 days apart."),
    "LIMIT_INVALID": ErrorKind(400, "limit is not a whole number from 1 to 100."),
    "PAGE_INVALID": ErrorKind(400, "page is not a whole number from 1 up."),
    "MEDIA_INVALID": ErrorKind(400, "media is not the name of a recording."),
    "RECORDING_NOT_FOUND": ErrorKind(404, "There is no such recording."),
    "RECORDING_NOT_READY": ErrorKind(409, "The recording is still being made.", 2),
    "BODY_INVALID": ErrorKind(400, "The body is not the JSON object that is asked for."),
    "BODY_TOO_LARGE": ErrorKind(413, "The body is over 64 KiB."),
    "IDEMPOTENCY_KEY_REUSED": ErrorKind(422, "This Idempotency-Key came with another request."),
    "IDEMPOTENCY_IN_PROGRESS": ErrorKind(409, "The first request of this key is under way.", 1),
    "RATE_LIMITED": ErrorKind(503, "Too many requests; wait as Retry-After says.", 1),
    "ENGINE_UNAVAILABLE": ErrorKind(503, "The phone system cannot do this now; try again.", 5),
    "LINK_INVALID": ErrorKind(403, "The link was altered, or it has expired."),
    "RANGE_NOT_SATISFIABLE": ErrorKind(416, "The recording has no such bytes."),
    "INTERNAL": ErrorKind(500, "Something went wrong here; the request id leads to the log."),
}


class ErrorBody(msgspec.Struct, frozen=True):
    success: bool
    message: str
    detail: str
    request_id: str


_encode = msgspec.json.Encoder().encode


def error_body(code: str, detail: str, request_id: str) -> bytes:
    """The JSON of an error; an empty ``detail`` stands for the code's own sentence."""
    return _encode(ErrorBody(False, code, detail or ERRORS[code].sentence, request_id))


def error_headers(code: str, retry_after: int | None = None) -> dict[str, str]:
    """The headers that go with a code: Retry-After (RFC 9110 10.2.3), WWW-Authenticate (11.6.1)."""
    kind = ERRORS[code]
    headers = {"cache-control": "no-store"}
    if (wait := retry_after or kind.retry_after) is not None:
        headers["retry-after"] = str(wait)
    if kind.status == 401:
        headers["www-authenticate"] = 'Hash realm="oapi"'
    return headers


def refuse(code: str, detail: str = "", retry_after: int | None = None) -> Refused:
    """A refusal with the code's own sentence, unless ``detail`` has a better one."""
    return Refused(code, detail or ERRORS[code].sentence, retry_after)
