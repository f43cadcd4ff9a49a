"""The HTTP API, put together."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import structlog
from litestar import HttpMethod, Litestar, Response
from litestar.config.cors import CORSConfig
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import HTTPScope

from trunkline.api.docs.error_pages import every_error, one_error
from trunkline.api.docs.pages import Docs
from trunkline.api.http.answers import JSON, Answer
from trunkline.api.http.deps import ApiDeps
from trunkline.api.http.direct import Direct, left_over
from trunkline.api.http.errors import ERRORS, error_body, error_headers
from trunkline.api.http.exchange import Envelope, request_id
from trunkline.api.http.one_form import OneForm
from trunkline.api.http.request import AnyRequest, ClientGone
from trunkline.api.internal import Internal
from trunkline.api.media.links import Links
from trunkline.api.media.ranges import RangeNotSatisfiable
from trunkline.api.media.serve import Media
from trunkline.api.monitoring.health import Health, Measure, VitalSignsCollector, request_counter
from trunkline.api.monitoring.login_metrics import LoginsCollector
from trunkline.api.monitoring.webhook_metrics import WebhookCollector
from trunkline.api.oapi.contract import OpenApi
from trunkline.api.oapi.rates import Rates
from trunkline.api.v1.conventions.pipeline import V1
from trunkline.api.v1.conventions.problems import problem
from trunkline.api.v1.conventions.routing import Route
from trunkline.api.v1.table import ROUTES
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.work.refused import Refused

_log = structlog.get_logger()

HISTORIES = "/oapi/v1/call/histories"
CLICK_TO_CALL = "/oapi/v1/call/click-to-call/"

_NOTHING_BELOW = ((CLICK_TO_CALL, "NUMBER_INVALID"), ("/recordings/", "RECORDING_NOT_FOUND"))

_SHOWN_HEADERS = [
    "X-Request-Id",
    "X-Total-Count",
    "Link",
    "Retry-After",
    "Accept-Ranges",
    "Content-Range",
    "Content-Length",
    "Idempotency-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "WWW-Authenticate",
]


def build_api(deps: ApiDeps, v1: V1 | None = None) -> Litestar:
    """The API as an ASGI application; raises ValueError when a rate is not like ``20/second``.

    Registers its metrics in ``deps.registry``, so one registry takes one API. ``v1`` is given by
    who needs it besides.
    """
    v1 = v1 or V1(deps)
    errors = _ErrorAnswers(v1)
    links = Links(deps.url_key)
    rates = Rates(deps.request_rate, deps.call_rate, deps.auth_failures, deps.logins)
    oapi = OpenApi(deps, rates, links)
    api = Litestar(
        route_handlers=[*_routes(deps, oapi, links), *(_v1_route(v1, route) for route in ROUTES)],
        exception_handlers={
            Refused: errors.refused,
            RangeNotSatisfiable: _range_refused,
            DatabaseUnavailable: errors.database_unavailable,
            HTTPException: errors.framework_error,
            Exception: errors.failed,
        },
        cors_config=_cors(deps.cors_origins),
        openapi_config=None,
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )
    direct = Direct(
        api.asgi_handler, (HISTORIES, oapi.histories), (CLICK_TO_CALL, oapi.click_to_call)
    )
    api.asgi_handler = Envelope(OneForm(direct, errors.nothing), request_counter(deps))
    return api


def _health(deps: ApiDeps) -> Health:
    measures: list[Measure] = [VitalSignsCollector(deps.vital_signs), LoginsCollector(deps.logins)]
    if deps.webhook_tally is not None:
        measures.append(WebhookCollector(deps, deps.webhook_tally))
    return Health(deps, measures)


def _routes(deps: ApiDeps, oapi: OpenApi, links: Links) -> list[HTTPRouteHandler]:
    media, health = Media(deps, links), _health(deps)
    internal = Internal(deps)
    routes = [
        _post("/oapi/v1/voice/auth_token")(oapi.auth_token),
        _post(CLICK_TO_CALL + "{number:path}")(left_over(oapi.click_to_call)),
        _get(HISTORIES)(left_over(oapi.histories)),
        _get("/oapi/v1/call/play_recording")(oapi.play_recording),
        _get("/recordings/{name:str}")(media.recording),
        _get("/")(health.root),
        _get("/healthz")(health.healthz),
        _get("/readyz")(health.readyz),
        _post("/internal/sync")(internal.sync),
        _post("/internal/samples")(internal.sample),
        _post("/internal/place-call")(internal.place_call),
        _post("/internal/transfer-call")(internal.transfer_call),
    ]
    if deps.metrics:
        routes.append(_get("/metrics")(health.metrics))
    return [*routes, *_docs_routes()] if deps.docs else routes


def _v1_route(v1: V1, route: Route) -> HTTPRouteHandler:
    """Path parameters are texts to the framework; ``V1`` reads them."""

    async def serve(request: AnyRequest) -> Answer:
        path = {name: str(value) for name, value in request.path_params.items()}
        return await v1.serve(route, request.scope, request.receive, path)

    path = re.sub(r"{(\w+)}", r"{\1:str}", route.path)
    if route.method == "GET":
        return _get(path)(serve)
    return HTTPRouteHandler(path, http_method=HttpMethod[route.method], status_code=200)(serve)


def _docs_routes() -> list[HTTPRouteHandler]:
    docs = Docs()
    return [
        _get("/docs/errors")(_always(every_error())),
        _get("/docs/errors/{code:str}")(one_error),
        _get("/openapi.json")(_always(docs.openapi)),
        _get("/asyncapi.json")(_always(docs.asyncapi)),
        _get("/docs")(_always(docs.parts["index.html"])),
        _get("/docs/events")(_always(docs.parts["events.html"])),
        _get("/docs/{name:str}")(docs.part),
    ]


def _always(answer: Answer) -> Callable[[], Awaitable[Answer]]:
    async def handler() -> Answer:
        return answer

    return handler


def _get(path: str) -> HTTPRouteHandler:
    return HTTPRouteHandler(path, http_method=[HttpMethod.GET, HttpMethod.HEAD])


def _post(path: str) -> HTTPRouteHandler:
    return HTTPRouteHandler(path, http_method=HttpMethod.POST, status_code=200)


def _cors(origins: str) -> CORSConfig:
    allowed = [origin.strip() for origin in origins.split(",") if origin.strip()]
    return CORSConfig(
        allow_origins=allowed,
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        allow_headers=["*"],
        expose_headers=_SHOWN_HEADERS,
    )


class _ErrorAnswers:
    """Exceptions as answers: problems below /v1, the contract's shape elsewhere."""

    def __init__(self, v1: V1) -> None:
        self._problems = v1.problems

    def nothing(self, scope: HTTPScope) -> Answer:
        """The answer to a path that names nothing, before the framework has looked at it."""
        if scope["path"].startswith("/v1/"):
            return self._problems.answer(scope, problem("not_found"))
        below = (code for room, code in _NOTHING_BELOW if scope["path"].startswith(room))
        code = next(below, "NOT_FOUND")
        headers = tuple((k.encode(), v.encode()) for k, v in error_headers(code).items())
        return Answer(
            error_body(code, "", request_id(scope)), ERRORS[code].status, (JSON, *headers)
        )

    def refused(self, request: AnyRequest, refused: Refused) -> Response[bytes]:
        if _below_v1(request):
            return self._problem(request, refused)
        headers = error_headers(refused.code, refused.retry_after)
        return _error(request, refused.code, refused.detail, headers)

    def database_unavailable(
        self, request: AnyRequest, error: DatabaseUnavailable
    ) -> Response[bytes]:
        _log.error("the database took no write", error=str(error))
        detail = "The database takes no writes now; try again."
        if _below_v1(request):
            return self._problem(request, problem("unavailable", detail))
        return _error(request, "ENGINE_UNAVAILABLE", detail)

    def framework_error(self, request: AnyRequest, error: HTTPException) -> Response[bytes]:
        """405 with Allow; whatever else the framework refuses (an odd Host) has nothing behind it."""
        if error.status_code >= 500:
            return self.failed(request, error)
        if error.status_code != 405:
            return self._by_code(request, "not_found", "NOT_FOUND", {})
        allowed = dict(error.headers or {})
        return self._by_code(request, "method_not_allowed", "METHOD_NOT_SUPPORT", allowed)

    def failed(self, request: AnyRequest, error: Exception) -> Response[bytes]:
        """The log gets the traceback, the client a request id."""
        if not isinstance(error, ClientGone):
            _log.error("a request failed", path=request.scope["path"], exc_info=error)
        return self._by_code(request, "internal", "INTERNAL", {})

    def _by_code(
        self, request: AnyRequest, code: str, contracts: str, headers: dict[str, str]
    ) -> Response[bytes]:
        if not _below_v1(request):
            return _error(request, contracts, headers=headers)
        sent = tuple((k.lower().encode(), v.encode()) for k, v in headers.items())
        return self._problem(request, problem(code, headers=sent))

    def _problem(self, request: AnyRequest, refused: Refused) -> Response[bytes]:
        answer = self._problems.answer(request.scope, refused)
        headers = {name.decode(): value.decode("latin-1") for name, value in answer.headers}
        kind = headers.pop("content-type")
        return Response(answer.body, status_code=answer.status, media_type=kind, headers=headers)


def _below_v1(request: AnyRequest) -> bool:
    return f"{request.scope['path']}/".startswith("/v1/")


def _error(
    request: AnyRequest, code: str, detail: str = "", headers: dict[str, str] | None = None
) -> Response[bytes]:
    return Response(
        error_body(code, detail, request_id(request.scope)),
        status_code=ERRORS[code].status,
        media_type="application/json",
        headers={**error_headers(code), **(headers or {})},
    )


def _range_refused(request: AnyRequest, refused: RangeNotSatisfiable) -> Response[bytes]:
    headers = {"content-range": f"bytes */{refused.size}"}
    return _error(request, "RANGE_NOT_SATISFIABLE", headers=headers)
