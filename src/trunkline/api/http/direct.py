"""The routes that are asked most, or wait for nothing but us, served before the framework has looked at the request.

What the framework does besides (another origin's page, an error's answer) it goes on doing: such a
request is left to it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from trunkline.api.http.answers import Answer
from trunkline.api.http.request import AnyRequest, header

Serve = Callable[[Scope, Receive], Awaitable[Answer]]
_RAISED = "raised"
_NUMBER = re.compile(r"[0-9+]{1,32}", re.ASCII)


class Direct:
    """ASGI around the framework: a GET of ``page`` exactly as it stands, and a POST of ``numbered`` with a plain
    number behind it, are answered here.
    """

    def __init__(self, app: ASGIApp, page: tuple[str, Serve], numbered: tuple[str, Serve]) -> None:
        """``numbered`` ends with a slash; its handler finds the number in ``path_params``."""
        self._app = app
        self._page, self._serve_page = page
        self._numbered, self._serve_numbered = numbered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        serve = None if header(scope, b"origin") else self._served(scope)
        if serve is None:
            await self._app(scope, receive, send)
            return
        try:
            answer = await serve(scope, receive)
        except Exception as error:
            scope.setdefault("state", {})[_RAISED] = error
            await self._app(scope, receive, send)
        else:
            await answer(scope, receive, send)

    def _served(self, scope: Any) -> Serve | None:
        path = scope["path"]
        if path == self._page and scope["method"] == "GET":
            scope["path_template"] = path
            return self._serve_page
        if path.startswith(self._numbered) and scope["method"] == "POST":
            number = path[len(self._numbered) :]
            if _NUMBER.fullmatch(number):
                scope["path_template"] = self._numbered + "{number}"
                scope["path_params"] = {"number": number}
                return self._serve_numbered
        return None


def left_over(serve: Serve) -> Callable[[AnyRequest], Awaitable[Answer]]:
    """The framework's handler of such a route: raises what has been raised already."""

    async def handler(request: AnyRequest) -> Answer:
        raised = request.scope["state"].pop(_RAISED, None)
        if raised is not None:
            raise raised
        return await serve(request.scope, request.receive)

    return handler
