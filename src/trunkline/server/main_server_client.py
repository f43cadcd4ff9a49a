"""How other processes of the installation reach the main server: by its ``/internal`` door."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import msgspec
import structlog

from trunkline.api.internal import CallDone, CallForwarded, CallRefused, TransferDone
from trunkline.server import server_file
from trunkline.store.ports.database import App
from trunkline.store.secrets import InstallationKey
from trunkline.work.control.transfer_call import Transferred, TransferWanted
from trunkline.work.place.place_call import CallPlaced, CallWanted
from trunkline.work.refused import Refused

log = structlog.get_logger()

_RETRY = 5
_CONNECT, _ANSWER, _SYNC, _LOOK = 2.0, 30.0, 5.0, 2.0
# uvicorn closes an idle connection after 5 s: below that, it never does so under a request.
_IDLE = 2.0
_AGAIN = 5.0

_read = msgspec.json.Decoder(CallDone | TransferDone | CallRefused).decode


class MainServerClient:
    """The main server, which has the engine. Use it from one event loop, and close it."""

    def __init__(
        self,
        data: Path,
        url: str,
        key: InstallationKey,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """``url`` is the main server's; if it is empty, the data directory is asked for it each time."""
        self._data = data
        self._url = url.rstrip("/")
        self._http = httpx.AsyncClient(
            headers={"authorization": f"Bearer {server_file.internal_token(key)}"},
            timeout=httpx.Timeout(_ANSWER, connect=_CONNECT),
            limits=httpx.Limits(max_connections=200, keepalive_expiry=_IDLE),
            trust_env=False,
            transport=transport,
        )
        self._telling: asyncio.Task[None] | None = None

    async def place_call(self, app: App, wanted: CallWanted) -> CallPlaced:
        """As ``work.place.place_call`` does it, in the main server."""
        done = await self._post(
            "/internal/place-call",
            CallForwarded(app.id, wanted),
            "no call was placed.",
            "Whether the call was placed is not known: ask again under the same Idempotency-Key.",
        )
        assert isinstance(done, CallDone)
        return CallPlaced(done.status, done.body)

    async def transfer_call(self, wanted: TransferWanted) -> Transferred:
        """As ``work.control.transfer_call`` does it, in the main server."""
        done = await self._post(
            "/internal/transfer-call",
            wanted,
            "nothing was transferred.",
            "Whether the call was transferred is not known.",
        )
        assert isinstance(done, TransferDone)
        return done.transferred

    async def sync(self) -> None:
        """Tell it that the directory has changed; returns once it has taken that in, or cannot be reached now.

        In that case it is told again until it has answered. When it starts, it looks by itself.
        """
        if await self._tell_once() is None or (self._telling and not self._telling.done()):
            return
        self._telling = asyncio.create_task(self._tell_until_told())

    async def trouble(self) -> str:
        """Why no calls can be made now; empty when they can."""
        try:
            answer = await self._http.get(f"{self._main_url()}/healthz", timeout=_LOOK)
        except httpx.HTTPError:
            return "the main server does not answer"
        return "" if answer.status_code == 200 else "the main server takes no calls now"

    async def close(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
        await self._http.aclose()

    async def _post(
        self, path: str, what: msgspec.Struct, not_done: str, not_known: str
    ) -> CallDone | TransferDone:
        try:
            body = msgspec.json.encode(what)
            answer = await self._http.post(f"{self._main_url()}{path}", content=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _away(f"The main server cannot be reached: {not_done}") from error
        except httpx.HTTPError as error:
            raise _away(f"The main server did not answer. {not_known}") from error
        return _done(answer, path)

    def _main_url(self) -> str:
        """Raises httpx.ConnectError where there is none."""
        if self._url:
            return self._url
        found = server_file.read(self._data)
        if found is None:
            raise httpx.ConnectError("no main server runs on the data directory")
        return found.url

    async def _tell_until_told(self) -> None:
        log.warning(
            "main.not_told", mend="is trunkline up running? It is told as soon as it answers"
        )
        while await self._tell_once() is not None:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(_AGAIN)
        log.info("main.told")

    async def _tell_once(self) -> str | None:
        """Tell it; returns what went wrong."""
        try:
            answer = await self._http.post(f"{self._main_url()}/internal/sync", timeout=_SYNC)
        except httpx.HTTPError as error:
            return type(error).__name__
        return None if answer.is_success else f"HTTP {answer.status_code}"


def _done(answer: httpx.Response, path: str) -> CallDone | TransferDone:
    if answer.status_code != 200:
        log.error("main.refuses", path=path, status=answer.status_code)
        raise _away("The main server takes no calls now.")
    done: CallDone | TransferDone | CallRefused = _read(answer.content)
    if isinstance(done, CallRefused):
        raise Refused(done.code, done.detail, done.retry_after)
    return done


def _away(detail: str) -> Refused:
    return Refused("ENGINE_UNAVAILABLE", detail, _RETRY)
