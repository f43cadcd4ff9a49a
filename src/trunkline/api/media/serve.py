"""Recordings by their signed links: GET and HEAD, whole or one range (RFC 9110, section 14)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from litestar.types import Scope

from trunkline.api.http.answers import BrokenOff, Headers, Stream
from trunkline.api.http.deps import ApiDeps
from trunkline.api.http.errors import refuse
from trunkline.api.http.query import readings
from trunkline.api.http.request import AnyRequest, header
from trunkline.api.media.links import Links
from trunkline.api.media.ranges import one_range
from trunkline.calls.recording_names import RecordingFormat, format_of, recording_of
from trunkline.recordings.port import RecordingMissing

_CONTENT_TYPES: dict[RecordingFormat, bytes] = {
    "mp3": b"audio/mpeg",
    "wav": b"audio/wav",
    "opus": b"audio/ogg",
}


class Media:
    def __init__(self, deps: ApiDeps, links: Links) -> None:
        self._deps = deps
        self._links = links

    async def recording(self, request: AnyRequest) -> Stream:
        """GET and HEAD /recordings/{name}"""
        name = str(request.path_params["name"])
        self._check(name, request.scope)
        row = await self._deps.db.recordings.any_account(recording_of(name))
        if row is None or row.state != "ready":
            raise refuse("RECORDING_NOT_FOUND")
        try:
            return await self._stream(name, request.scope)
        except RecordingMissing:
            raise refuse("RECORDING_NOT_FOUND") from None

    def _check(self, name: str, scope: Scope) -> None:
        query = next(readings(scope["query_string"]))
        if query.twice:
            raise refuse("LINK_INVALID")
        now = self._deps.clock() // 1_000_000
        self._links.check(name, query.get("expires"), query.get("signature"), now)

    async def _stream(self, name: str, scope: Scope) -> Stream:
        size = await self._deps.store.size(name)
        status, start, end = _part(scope, size)
        headers = _headers(name, status, start, end, size)
        if scope["method"] == "HEAD" or start == end:  # type: ignore[typeddict-item]
            return Stream(status, headers)
        pieces = self._deps.store.stream(name, start, end)
        first = await anext(pieces, b"")
        return Stream(status, headers, first, _as_long_as_it_is_there(pieces))


async def _as_long_as_it_is_there(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for piece in pieces:
            yield piece
    except RecordingMissing as error:
        raise BrokenOff from error


def _part(scope: Scope, size: int) -> tuple[int, int, int]:
    """(status, start, end); a range counts for GET only, and not under an If-Range.

    We send no validator, so whatever an If-Range names is not what we have (RFC 9110 13.1.5).
    """
    asked = header(scope, b"range")
    if not asked or scope["method"] != "GET" or header(scope, b"if-range"):  # type: ignore[typeddict-item]
        return 200, 0, size
    part = one_range(asked, size)
    return (200, 0, size) if part is None else (206, *part)


def _content_type(name: str) -> bytes:
    recording = recording_of(name)
    return _CONTENT_TYPES[format_of(recording)] if recording == name else b"application/json"


def _headers(name: str, status: int, start: int, end: int, size: int) -> Headers:
    common = (
        (b"content-type", _content_type(name)),
        (b"content-length", b"%d" % (end - start)),
        (b"accept-ranges", b"bytes"),
        (b"content-disposition", b'inline; filename="%s"' % name.encode()),
        (b"cache-control", b"private, no-store"),
        (b"x-content-type-options", b"nosniff"),
    )
    if status == 206:
        return (*common, (b"content-range", b"bytes %d-%d/%d" % (start, end - 1, size)))
    return common
