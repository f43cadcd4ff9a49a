"""Calls as a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Literal

from msgspec import Meta

from trunkline.api.v1.call_filter import CallsFilter, filter_of
from trunkline.api.v1.conventions.problems import problem
from trunkline.api.v1.conventions.routing import Request, Response, Route
from trunkline.api.v1.exports.formats import ExportFormat, FormatUnavailable, format_called
from trunkline.store.ports.history import NEWEST, CallFilter, CallKey, CallRow, History

CHUNK = 500
"""Calls that are read at a time."""


class CallsExport(CallsFilter, frozen=True, kw_only=True):
    format: Annotated[
        Literal["csv", "jsonl", "parquet"], Meta(description="One call a line, or a row.")
    ] = "csv"


async def export_calls(request: Request[CallsExport, None]) -> Response:
    """The same calls as a file, newest first, as fast as it is taken. One that breaks off without
    its last chunk is not whole. In CSV a value that begins with `=`, `+`, `-`, `@`, a tab or a
    carriage return has a `'` before it, so that no spreadsheet takes it for a formula, nor a number
    such as `+84…` for a sum."""
    wanted = filter_of(request.parameters)
    try:
        made = format_called(request.parameters.format)
    except FormatUnavailable as error:
        raise problem("format_unavailable", f"{error}.") from None
    named = f'attachment; filename="calls.{made.suffix}"'.encode()
    headers = ((b"content-type", made.media_type), (b"content-disposition", named))
    chunks = _chunks(request.context.deps.db.history, request.account_id, wanted)
    return Response(stream=_encoded(made, chunks, request.gone), headers=headers)


async def _chunks(
    history: History, account_id: str, wanted: CallFilter
) -> AsyncIterator[list[CallRow]]:
    after: CallKey | None = NEWEST
    while after is not None:
        found = await history.find(account_id, wanted, after, CHUNK)
        after = found.rest
        if found.rows:
            yield list(found.rows)


async def _encoded(
    made: ExportFormat, chunks: AsyncIterator[list[CallRow]], gone: Callable[[], Awaitable[None]]
) -> AsyncIterator[bytes]:
    """The file, made off the event loop; nothing more of it once the client is gone."""
    leaving = asyncio.ensure_future(gone())
    try:
        yield await asyncio.to_thread(made.begin)
        async for rows in chunks:
            yield await asyncio.to_thread(made.rows, rows)
            if leaving.done():
                return
        yield await asyncio.to_thread(made.end)
    finally:
        leaving.cancel()


ROUTES = (
    Route("GET", "/v1/calls/export", "calls:read", export_calls, "Export calls",
          parameters=CallsExport, tag="Calls", problems=("format_unavailable",),
          media_types=("text/csv", "application/jsonl", "application/vnd.apache.parquet")),
)  # fmt: skip
