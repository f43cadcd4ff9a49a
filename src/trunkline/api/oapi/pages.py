"""The links from one page of history to the others (RFC 8288)."""

from __future__ import annotations

import re
from urllib.parse import quote

import msgspec

from trunkline.api.http.query import Reading
from trunkline.api.oapi.hashes import histories_hash
from trunkline.store.ports.database import App

_DATE = re.compile(r"[A-Za-z0-9._~:-]*", re.ASCII)


class Pages(msgspec.Struct, frozen=True):
    """The page that was asked for, and how many there are (at least one)."""

    page: int
    last: int

    def links(self) -> dict[str, int]:
        """rel -> page; there is no ``prev`` before the first and no ``next`` after the last."""
        links = {"first": 1}
        if self.page > 1:
            links["prev"] = min(self.page - 1, self.last)
        if self.page < self.last:
            links["next"] = self.page + 1
        return {**links, "last": self.last}


def pages_of(total: int, limit: int, page: int) -> Pages:
    return Pages(page=page, last=max(1, -(-total // limit)))


def link_header(url: str, reading: Reading, pages: Pages, hashed_for: App | None) -> str:
    """The Link header; each link has its right hash, or none where requests are signed."""
    names = ("created_from", "created_to", "limit")
    sent = [reading.get(name) for name in names]
    fields = [f"{name}={_quoted(one)}" for name, one in zip(names, sent, strict=True) if one]
    if hashed_for is not None:
        fields.insert(0, f"appId={quote(hashed_for.id, '')}")
    start = f"<{url}?{'&'.join(fields)}&page="
    return ", ".join(
        f'{start}{page}{_hash(hashed_for, sent, page)}>; rel="{rel}"'
        for rel, page in pages.links().items()
    )


def _quoted(text: str) -> str:
    """``quote``, but quick for what dates look like."""
    return text.replace(":", "%3A") if _DATE.fullmatch(text) else quote(text, "")


def _hash(app: App | None, sent: list[str | None], page: int) -> str:
    return "" if app is None else f"&hash={histories_hash(app.id, [*sent, str(page)], app.secret)}"
