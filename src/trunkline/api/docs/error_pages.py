"""A page for each error code: where the ``type`` of a problem leads."""

from __future__ import annotations

import re
from html import escape

from trunkline.api.http.answers import Answer
from trunkline.api.http.errors import refuse
from trunkline.api.http.request import AnyRequest
from trunkline.api.v1.conventions.problems import PROBLEMS, ProblemKind

_HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; style-src 'self'; base-uri 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-cache"),
)


def every_error() -> Answer:
    """GET /docs/errors"""
    return _page("Errors of /v1", "".join(_section(*item) for item in PROBLEMS.items()))


async def one_error(request: AnyRequest) -> Answer:
    """GET /docs/errors/{code}"""
    code = str(request.path_params["code"])
    if code not in PROBLEMS:
        raise refuse("NOT_FOUND")
    return _page(code, _section(code, PROBLEMS[code]))


def _section(code: str, kind: ProblemKind) -> str:
    wait = f"<p>Try again after {kind.retry_after} s.</p>" if kind.retry_after else ""
    return (
        f'<section id="{code}"><h2><a href="/docs/errors/{code}">{code}</a></h2>'
        f"<p>HTTP {kind.status}. {_marked(kind.title)} {_marked(kind.advice)}</p>{wait}</section>\n"
    )


def _marked(text: str) -> str:
    """``code`` between backticks."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _page(title: str, inside: str) -> Answer:
    html = (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="stylesheet" href="/docs/page.css">\n'
        f"{_CONTENTS}<main>\n<h1>{title}</h1>\n{inside}</main>\n</html>\n"
    )
    return Answer(html.encode(), 200, _HEADERS)


_CONTENTS = (
    '<nav aria-label="Contents">\n'
    '<p class="pages"><a href="/docs">HTTP</a><a href="/docs/events">Events</a>'
    '<a href="/docs/errors" aria-current="page">Errors</a></p>\n<strong>Errors of /v1</strong>\n'
    + "".join(f'<a href="/docs/errors/{code}">{code}</a>\n' for code in PROBLEMS)
    + "</nav>\n"
)
"""What stands beside each page, as on the other pages of /docs."""
