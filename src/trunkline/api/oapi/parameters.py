"""The strict shapes of the Open API's parameters; each is checked after the hash."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from litestar.types import Scope

from trunkline.api.http.errors import refuse
from trunkline.api.http.query import Reading
from trunkline.api.http.request import header
from trunkline.api.oapi.hashes import DEFAULT_LIMIT, DEFAULT_PAGE
from trunkline.calls.recording_names import NAME
from trunkline.history.dates import DateInvalid, Moment, moment
from trunkline.work.place.place_call import CallWanted

MAX_DAYS = timedelta(days=31)
MAX_LIMIT = 100
MOST_PAGE = 10**12
"""Pages beyond this one are as empty as it is."""

_NUMERAL = re.compile(r"[1-9][0-9]*", re.ASCII)
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)

_Plain = msgspec.Meta(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")


class ClickToCallBody(msgspec.Struct, frozen=True):
    """The body of a click-to-call; fields that are not known are left alone."""

    sipUser: Annotated[str, _Plain]  # noqa: N815
    sipPassword: Annotated[str, msgspec.Meta(max_length=1024)]  # noqa: N815
    clientRef: Annotated[str, _Plain] | None = None  # noqa: N815

    def __repr__(self) -> str:
        return f"ClickToCallBody(sipUser={self.sipUser!r})"


_decode_body = msgspec.json.Decoder(ClickToCallBody).decode


def window_of(reading: Reading, zone: str) -> tuple[int, int]:
    """The half-open range of a histories query, unix microseconds; raises Refused."""
    created_from, created_to = reading.get("created_from"), reading.get("created_to")
    if not created_from or not created_to:
        raise refuse("DATE_REQUIRED")
    if not reading.twice.isdisjoint(("created_from", "created_to")):
        raise refuse("DATE_INVALID", "A date was sent twice.")
    return window(created_from, created_to, zone)


def window(created_from: str, created_to: str, zone: str) -> tuple[int, int]:
    """The half-open range [from, to); raises Refused DATE_, RANGE_INVALID or RANGE_TOO_LARGE."""
    try:
        start, end = moment(created_from, zone), moment(created_to, zone, end=True)
    except DateInvalid as error:
        raise refuse("DATE_INVALID", str(error)) from None
    if end.at < start.at:
        raise refuse("RANGE_INVALID")
    if _too_large(start, end):
        raise refuse("RANGE_TOO_LARGE")
    return start.at, end.at


def _too_large(start: Moment, end: Moment) -> bool:
    """31 days by the account's clock are allowed, though one of them may have 25 hours."""
    if end.at - start.at <= MAX_DAYS // timedelta(microseconds=1):
        return False
    return start.wall is None or end.wall is None or end.wall - start.wall > MAX_DAYS


def limit_of(reading: Reading) -> int:
    """How many records a page has; raises Refused LIMIT_INVALID."""
    text = reading.values.get("limit", DEFAULT_LIMIT)
    if "limit" in reading.twice or not _NUMERAL.fullmatch(text) or len(text) > 3:
        raise refuse("LIMIT_INVALID")
    if int(text) > MAX_LIMIT:
        raise refuse("LIMIT_INVALID")
    return int(text)


def page_of(reading: Reading) -> int:
    """Which page, at most MOST_PAGE; raises Refused PAGE_INVALID."""
    text = reading.values.get("page", DEFAULT_PAGE)
    if "page" in reading.twice or not _NUMERAL.fullmatch(text):
        raise refuse("PAGE_INVALID")
    return min(int(text[:13]), MOST_PAGE)


def media_of(reading: Reading) -> str:
    """The recording's name; raises Refused MEDIA_INVALID."""
    media = reading.get("media") or ""
    if "media" in reading.twice or not NAME.fullmatch(media):
        raise refuse("MEDIA_INVALID")
    return media


def call_wanted(scope: Scope, path_params: dict[str, Any], body: bytes) -> CallWanted:
    """What a click-to-call asks for; raises Refused BODY_INVALID, NUMBER_INVALID.

    The body is read as JSON whatever its Content-Type says: curl says form unless it is told.
    """
    asked = _body(body)
    return CallWanted(
        number=str(path_params["number"]).removeprefix("/"),
        sip_user=asked.sipUser,
        sip_password=asked.sipPassword,
        client_ref=asked.clientRef,
        idempotency_key=_idempotency_key(scope),
    )


def _body(body: bytes) -> ClickToCallBody:
    """msgspec's sentence names the field and what was expected, never the value."""
    try:
        return _decode_body(body)
    except msgspec.ValidationError as error:
        raise refuse("BODY_INVALID", f"The body is not as asked for: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise refuse("BODY_INVALID", "The body is not JSON.") from None


def _idempotency_key(scope: Scope) -> str | None:
    sent = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    if not sent:
        return None
    key = header(scope, b"idempotency-key")
    if len(sent) > 1 or not _IDEMPOTENCY_KEY.fullmatch(key):
        raise refuse("BODY_INVALID", "Idempotency-Key is 1 to 255 visible ASCII characters.")
    return key
