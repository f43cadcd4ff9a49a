"""Lists of an account's entries, oldest first, page by page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from trunkline.api.v1.conventions.routing import (
    Cursor,
    Limit,
    Parameters,
    Request,
    Response,
    ResponseBody,
)


class ListedEntry(Protocol):
    """What such a list is ordered by: when it was made (unix microseconds), then its id."""

    @property
    def created_at(self) -> int:
        """Unix microseconds."""

    @property
    def id(self) -> str:
        """32 hex digits."""


class ListQuery(Parameters, frozen=True, kw_only=True):
    limit: Limit = 100
    cursor: Cursor | None = None


Row = TypeVar("Row", bound=ListedEntry)
Position = tuple[int, str]


async def listed(
    request: Request[Any, Any],
    what: str,
    read: Callable[[str, Position, int], Awaitable[Sequence[Row]]],
    show: Callable[[Sequence[Row]], ResponseBody],
) -> Response:
    """The page that the query asks for.

    ``what`` names the list in its cursors, ``read(account id, after, limit)`` gives entries, and
    ``show`` makes the answer of them. Raises Problem cursor_invalid.
    """
    cursors, query = request.context.cursors, request.parameters
    after: Position = (0, "")
    if query.cursor is not None:
        after = cursors.read(query.cursor, what, request.account_id, tuple[int, str])
    rows = await read(request.account_id, after, query.limit + 1)
    page = show(rows[: query.limit])
    if len(rows) <= query.limit:
        return Response(page)
    last = rows[query.limit - 1]
    cursor = cursors.make(what, request.account_id, [last.created_at, last.id])
    return Response(page, next=[("limit", query.limit), ("cursor", cursor)])
