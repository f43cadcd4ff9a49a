"""The HTTP door, put together."""

from __future__ import annotations

import structlog
from litestar import HttpMethod, Litestar, Response
from litestar.config.cors import CORSConfig
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from trunkline.api.bodies import ClientGone
from trunkline.api.deps import ApiDeps
from trunkline.api.docs import Docs
from trunkline.api.envelope import Envelope, request_id
from trunkline.api.errors import ERRORS, error_body, error_headers
from trunkline.api.health import Health, VitalSignsCollector, request_counter
from trunkline.api.links import Links
from trunkline.api.media import Media, RangeRefused
from trunkline.api.oapi import AnyRequest, OpenApi
from trunkline.api.rates import Rates
from trunkline.db.port import DatabaseUnavailable
from trunkline.work.refused import Refused

_log = structlog.get_logger()

_SHOWN_HEADERS = [
    "X-Request-Id",
    "X-Total-Count",
    "Link",
    "Retry-After",
    "Accept-Ranges",
    "Content-Range",
    "Content-Length",
]


def build_api(deps: ApiDeps) -> Litestar:
    """The door as an ASGI application; raises ValueError when a rate is not like ``20/second``.

    Registers its metrics in ``deps.registry``, so one registry takes one door.
    """
    deps.registry.register(VitalSignsCollector(deps.vital_signs))
    api = Litestar(
        route_handlers=_routes(deps),
        exception_handlers={
            Refused: _refused,
            RangeRefused: _range_refused,
            DatabaseUnavailable: _database_unavailable,
            HTTPException: _framework_error,
            Exception: _failed,
        },
        cors_config=_cors(deps.cors_origins),
        openapi_config=None,
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )
    api.asgi_handler = Envelope(api.asgi_handler, request_counter(deps))
    return api


def _routes(deps: ApiDeps) -> list[HTTPRouteHandler]:
    links = Links(deps.url_key)
    rates = Rates(deps.request_rate, deps.call_rate, deps.auth_failures)
    oapi, media, health = OpenApi(deps, rates, links), Media(deps, links), Health(deps)
    routes = [
        _post("/oapi/v1/voice/auth_token")(oapi.auth_token),
        _post("/oapi/v1/call/click-to-call/{number:path}")(oapi.click_to_call),
        _get("/oapi/v1/call/histories")(oapi.histories),
        _get("/oapi/v1/call/play_recording")(oapi.play_recording),
        _get("/recordings/{name:str}")(media.recording),
        _get("/")(health.root),
        _get("/healthz")(health.healthz),
        _get("/readyz")(health.readyz),
        _post("/internal/sync")(health.sync),
    ]
    if deps.metrics:
        routes.append(_get("/metrics")(health.metrics))
    return [*routes, *_docs_routes()] if deps.docs else routes


def _docs_routes() -> list[HTTPRouteHandler]:
    docs = Docs()
    return [
        _get("/openapi.json")(docs.document),
        _get("/docs")(docs.page),
        _get("/docs/{name:str}")(docs.part),
    ]


def _get(path: str) -> HTTPRouteHandler:
    return HTTPRouteHandler(path, http_method=[HttpMethod.GET, HttpMethod.HEAD])


def _post(path: str) -> HTTPRouteHandler:
    return HTTPRouteHandler(path, http_method=HttpMethod.POST, status_code=200)


def _cors(origins: str) -> CORSConfig:
    allowed = [origin.strip() for origin in origins.split(",") if origin.strip()]
    return CORSConfig(
        allow_origins=allowed,
        allow_methods=["GET", "HEAD", "POST", "OPTIONS"],
        allow_headers=["*"],
        expose_headers=_SHOWN_HEADERS,
    )


def _error(
    request: AnyRequest, code: str, detail: str = "", headers: dict[str, str] | None = None
) -> Response[bytes]:
    return Response(
        error_body(code, detail, request_id(request.scope)),
        status_code=ERRORS[code].status,
        media_type="application/json",
        headers={**error_headers(code), **(headers or {})},
    )


def _refused(request: AnyRequest, refused: Refused) -> Response[bytes]:
    headers = error_headers(refused.code, refused.retry_after)
    return _error(request, refused.code, refused.detail, headers)


def _range_refused(request: AnyRequest, refused: RangeRefused) -> Response[bytes]:
    headers = {"content-range": f"bytes */{refused.size}"}
    return _error(request, "RANGE_NOT_SATISFIABLE", headers=headers)


def _database_unavailable(request: AnyRequest, error: DatabaseUnavailable) -> Response[bytes]:
    _log.error("the database took no write", error=str(error))
    return _error(request, "ENGINE_UNAVAILABLE", "The database takes no writes now; try again.")


def _framework_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """405 with Allow; whatever else the framework refuses (an odd Host) has nothing behind it."""
    if error.status_code >= 500:
        return _failed(request, error)
    if error.status_code == 405:
        return _error(request, "METHOD_NOT_SUPPORT", headers=dict(error.headers or {}))
    return _error(request, "NOT_FOUND")


def _failed(request: AnyRequest, error: Exception) -> Response[bytes]:
    """The log gets the traceback, the client a request id."""
    if not isinstance(error, ClientGone):
        _log.error("a request failed", path=request.scope["path"], exc_info=error)
    return _error(request, "INTERNAL")
