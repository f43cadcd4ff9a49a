"""The Open API's four calls: parse, authenticate, ask, answer."""

from __future__ import annotations

import secrets
from hashlib import sha256
from itertools import chain

import msgspec
from litestar.types import Receive, Scope

from trunkline.api.http.answers import JSON, NO_STORE, Answer
from trunkline.api.http.deps import ApiDeps
from trunkline.api.http.errors import refuse
from trunkline.api.http.query import Reading, readings
from trunkline.api.http.request import AnyRequest, base_url, header, read_body
from trunkline.api.media.links import Links
from trunkline.api.oapi.auth import AppAuth, signed_by
from trunkline.api.oapi.pages import link_header, pages_of
from trunkline.api.oapi.parameters import call_wanted, limit_of, media_of, page_of, window_of
from trunkline.api.oapi.proofs import Proof, believed, header_proof, histories_proof, media_proof
from trunkline.api.oapi.rates import Rates
from trunkline.calls.times import SECOND
from trunkline.store.ports.database import App

_encode = msgspec.json.Encoder().encode


class Token(msgspec.Struct, frozen=True):
    """The answer of auth_token; ``expire`` is in unix seconds."""

    value: str
    expire: int
    account_id: str


class OpenApi:
    """The four calls, as route handlers."""

    def __init__(self, deps: ApiDeps, rates: Rates, links: Links) -> None:
        self._deps = deps
        self._db = deps.db
        self._rates = rates
        self._links = links
        self._auth = AppAuth(deps.db.directory, deps.db.requests, rates, deps.clock, deps.shared)

    async def auth_token(self, request: AnyRequest) -> Answer:
        """POST /oapi/v1/voice/auth_token"""
        app, _ = await self._by_headers(request.scope, request.receive)
        self._rates.request(app.id)
        value = secrets.token_hex(16)
        expire = self._deps.clock() // SECOND + self._deps.token_seconds
        digest = sha256(value.encode()).hexdigest()
        await self._db.tokens.add(digest, app.id, app.account_id, expire * SECOND)
        return Answer(_encode(Token(value, expire, app.account_id)))

    async def click_to_call(self, scope: Scope, receive: Receive) -> Answer:
        """POST /oapi/v1/call/click-to-call/{number}"""
        app, body = await self._by_headers(scope, receive)
        self._rates.call(app.id)
        if body is None:
            body = await read_body(scope, receive)
        wanted = call_wanted(scope, scope["path_params"], body)
        if app.read_only:
            raise refuse("DESTINATION_NOT_ALLOWED", "This app may only read.")
        placed = await self._deps.place_call(app, wanted)
        return Answer(placed.body, placed.status)

    async def histories(self, scope: Scope, receive: Receive) -> Answer:
        """GET /oapi/v1/call/histories"""
        app, reading = await self._by_query(scope, receive, histories_proof)
        self._rates.request(app.id)
        start, end = window_of(reading, app.timezone)
        limit, page = limit_of(reading), page_of(reading)
        found = await self._db.calls.page(app.account_id, start, end, limit, page)
        url = base_url(scope, self._deps.public_url) + scope["path"]
        hashed_for = app if reading.get("hash") else None
        links = link_header(url, reading, pages_of(found.total, limit, page), hashed_for)
        total = (b"x-total-count", str(found.total).encode())
        return Answer(_encode(found.rows), 200, (JSON, NO_STORE, total, (b"link", links.encode())))

    async def play_recording(self, request: AnyRequest) -> Answer:
        """GET /oapi/v1/call/play_recording"""
        app, reading = await self._by_query(request.scope, request.receive, media_proof)
        self._rates.request(app.id)
        media = media_of(reading)
        recording = await self._db.recordings.by_name(app.account_id, media)
        if recording is None or recording.state == "failed":
            raise refuse("RECORDING_NOT_FOUND")
        if recording.state == "pending":
            raise refuse("RECORDING_NOT_READY")
        expires = self._deps.clock() // SECOND + self._deps.recording_url_seconds
        base = base_url(request.scope, self._deps.public_url)
        return Answer(_encode({"media": base + self._links.path(media, expires)}))

    async def _by_headers(self, scope: Scope, receive: Receive) -> tuple[App, bytes | None]:
        """The app of a POST call, and its body if it had to be read for that."""
        if signed := signed_by(scope):
            body = await read_body(scope, receive)
            return await self._auth.by_signature(scope, signed, body), body
        app_id, given = header(scope, b"x-auth-app-id"), header(scope, b"x-auth-app-hash")
        app, _ = await self._auth.by_hash(
            scope, app_id, given, lambda app: header_proof(app, given)
        )
        return app, None

    async def _by_query(self, scope: Scope, receive: Receive, proof: Proof) -> tuple[App, Reading]:
        """The app of a GET call, and the reading of its query that the hash is right for."""
        ways = readings(scope["query_string"])
        usual = next(ways)
        if signed := signed_by(scope):
            body = await read_body(scope, receive)
            return await self._auth.by_signature(scope, signed, body), usual.without(
                "appId", "hash"
            )
        given = usual.get("hash") or ""
        app_id = "?" if "appId" in usual.twice else usual.get("appId") or ""
        all_ways = chain((usual,), ways)
        return await self._auth.by_hash(
            scope, app_id, given, lambda app: believed(all_ways, app, given, proof)
        )
