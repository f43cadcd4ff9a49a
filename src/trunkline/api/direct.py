"""The routes that are asked most, served before the framework has looked at the request.

What the framework does besides (another origin's page, an error's answer) it goes on doing: such a
request is left to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from litestar.types import ASGIApp, Receive, Scope, Send

from trunkline.api.answers import Answer
from trunkline.api.auth import header
from trunkline.api.oapi import AnyRequest

Serve = Callable[[Scope, Receive], Awaitable[Answer]]
_RAISED = "raised"


class Direct:
    """ASGI around the framework: a GET of one of these paths, exactly as they stand, is answered here."""

    def __init__(self, app: ASGIApp, routes: Mapping[str, Serve]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or pass on what the framework has to answer."""
        serve = self._routes.get(scope["path"])
        if serve is None or _method(scope) != "GET" or header(scope, b"origin"):
            await self._app(scope, receive, send)
            return
        try:
            answer = await serve(scope, receive)
        except Exception as error:
            scope.setdefault("state", {})[_RAISED] = error
            await self._app(scope, receive, send)
        else:
            scope["path_template"] = scope["path"]
            await answer(scope, receive, send)


def left_over(serve: Serve) -> Callable[[AnyRequest], Awaitable[Answer]]:
    """The framework's handler of such a route: raises what has been raised already."""

    async def handler(request: AnyRequest) -> Answer:
        raised = request.scope["state"].pop(_RAISED, None)
        if raised is not None:
            raise raised
        return await serve(request.scope, request.receive)

    return handler


def _method(scope: Scope) -> str:
    return str(scope["method"])  # type: ignore[typeddict-item]
