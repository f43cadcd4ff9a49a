"""Reading a server's event log by its ``/v1``: pages, and the stream with its resumption."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from secrets import token_hex
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import stamina
import typer
from httpx_sse import SSEError, connect_sse

from trunkline import __version__
from trunkline.calls.times import rfc3339
from trunkline.cli.event_log.event_view import EventView, from_envelope
from trunkline.cli.failure import CommandFailed
from trunkline.cli.retries import TransientFailure, telling_of_retries
from trunkline.events.bindings import Binding

SILENCE = 45.0
"""Seconds without a sign of life, of which the stream gives one every 15, until it counts as dead."""
_LONGEST_PAUSE = 15.0
_A_PAGE = 500
_BEYOND = 2**53 - 1


class _Gap(msgspec.Struct, frozen=True):
    from_: int = msgspec.field(name="from")
    to: int


class _Page(msgspec.Struct, frozen=True):
    events: list[msgspec.Raw]
    next_after: int
    newest: int
    gap: _Gap | None = None


class _Replayed(msgspec.Struct, frozen=True):
    queued: int


class _Problem(msgspec.Struct, frozen=True):
    detail: str = ""
    code: str = ""


@contextmanager
def remote_log(server: str, key: str) -> Iterator[RemoteLog]:
    """The log of the key's account; raises CommandFailed when the server does not take the key."""
    try:
        url = httpx.URL(server)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise CommandFailed("--server is no address: give one such as https://phone.example.com")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise CommandFailed("the key is not one: it begins with tlk_, and is shown once when made")
    if url.scheme == "http" and not _is_this_machine(url.host):
        typer.echo(f"warning: the key goes to {url.host} unencrypted: take https", err=True)
    headers = {"authorization": f"Bearer {key}", "user-agent": f"trunkline/{__version__}"}
    timeout = httpx.Timeout(15.0, read=SILENCE)
    with telling_of_retries(), httpx.Client(headers=headers, timeout=timeout) as client:
        yield RemoteLog(client, server.rstrip("/"))


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class RemoteLog:
    def __init__(self, client: httpx.Client, server: str) -> None:
        self._client = client
        self._server = server
        self.account_id: str = self._get("/v1/me", {}, dict[str, Any])["account_id"]

    def tail(
        self, after: int | None, once: bool, bindings: tuple[Binding, ...]
    ) -> Iterator[tuple[EventView, str | None]]:
        """See ``EventLog``. It comes back by itself, without a gap or a repeat."""
        newest = self._newest()
        reached = newest if after is None else min(after, newest)
        if once:
            yield from self.stretch(reached + 1, None, bindings, None)
            return
        query = _types(bindings)
        while True:
            for attempt in stamina.retry_context(
                on=TransientFailure,
                attempts=None,
                timeout=None,
                wait_initial=0.5,
                wait_max=_LONGEST_PAUSE,
            ):
                with attempt:
                    for view in self._connection(reached, query):
                        reached = view.seq
                        yield view, None

    def stretch(
        self, first: int, last: int | None, bindings: tuple[Binding, ...], call_id: str | None
    ) -> Iterator[tuple[EventView, str | None]]:
        query = {**_types(bindings), "limit": _A_PAGE, **({"call_id": call_id} if call_id else {})}
        reached = first - 1
        upto = self._newest() if last is None else min(last, self._newest())
        while reached < upto:
            page = self._get("/v1/events", {**query, "after": reached}, _Page)
            if page.gap is not None:
                yield self._gap(page.gap), None
            for raw in page.events:
                view = from_envelope(raw)
                if view.seq > upto:
                    return
                yield view, None
            if page.next_after <= reached:
                return
            reached = page.next_after

    def send_again(self, webhook_id: str, first: int, last: int | None) -> int:
        """Have the server send a webhook the events with numbers in [first, last]; returns how many."""
        wanted = {"from": first} if last is None else {"from": first, "to": last}
        path = f"/v1/webhooks/{quote(webhook_id, safe='')}/replay"
        headers = {"idempotency-key": token_hex(16)}
        answer = self._ask("POST", path, _Replayed, json=wanted, headers=headers)
        queued: int = answer.queued
        return queued

    def _newest(self) -> int:
        newest: int = self._get("/v1/events", {"after": _BEYOND, "limit": 1}, _Page).newest
        return newest

    def _gap(self, gap: _Gap) -> EventView:
        import time

        data = {"from": gap.from_, "to": gap.to}
        made: dict[str, Any] = {
            "seq": gap.to,
            "type": "GAP",
            "category": "account",
            "subject": "",
            "account_id": self.account_id,
            "call_id": None,
            "client_ref": None,
            "time": rfc3339(time.time_ns() // 1000),
            "data": data,
        }
        return from_envelope(msgspec.json.encode(made))

    def _get(self, path: str, query: Mapping[str, Any], kind: Any) -> Any:
        return self._ask("GET", path, kind, params=query)

    def _ask(self, method: str, path: str, kind: Any, **sent: Any) -> Any:
        """Ask, again if need be, and return the answer; raises CommandFailed where there is none."""
        try:
            for attempt in stamina.retry_context(on=TransientFailure, attempts=4, wait_max=4.0):
                with attempt:
                    with _transient():
                        answer = self._client.request(method, self._server + path, **sent)
                    self._refuse(answer)
                    return msgspec.json.decode(answer.content, type=kind)
        except TransientFailure as error:
            raise CommandFailed(f"{self._server} does not answer ({error})") from error
        except msgspec.DecodeError as error:
            raise CommandFailed(f"{self._server}{path} is not Trunkline's: {error}") from error

    def _connection(self, reached: int, query: Mapping[str, str]) -> Iterator[EventView]:
        """The events after number ``reached`` until the connection ends.

        Raises TransientFailure if it brought none, so that the pauses grow.
        """
        headers = {"last-event-id": str(reached)}
        url = f"{self._server}/v1/events/stream"
        brought = False
        try:
            with _transient(), connect_sse(
                self._client, "GET", url, params=query, headers=headers
            ) as source:  # fmt: skip
                self._refuse(source.response)
                for event in source.iter_sse():
                    if event.data:  # none: the blank line after a comment
                        brought = True
                        yield _envelope(event.data)
        except TransientFailure as error:
            if not brought:
                raise
            typer.echo(f"the connection broke ({error}); going on from there", err=True)
            return
        if not brought:
            raise TransientFailure("no stream: the server ended it")

    def _refuse(self, answer: httpx.Response) -> None:
        """Raises TransientFailure or CommandFailed for all but success."""
        if answer.is_success:
            return
        answer.read()
        if answer.is_redirect:
            there = answer.headers.get("location", "elsewhere")
            raise CommandFailed(f"{self._server} sends on to {there}: give that one as --server")
        if answer.status_code == 429 or answer.status_code >= 500:
            raise TransientFailure(f"no answer but HTTP {answer.status_code}")
        raise CommandFailed(self._refusal(answer))

    def _refusal(self, answer: httpx.Response) -> str:
        try:
            said = msgspec.json.decode(answer.content, type=_Problem)
        except msgspec.DecodeError:
            said = _Problem()
        told = said.detail or f"HTTP {answer.status_code}"
        if answer.status_code == 401:
            return f"{self._server} does not take the key: {told} See trunkline key list there"
        if answer.status_code == 403:
            return f"{self._server} refuses the key: {told} See --scopes of trunkline key create"
        if answer.status_code == 404 and not said.code:
            return f"{self._server} has no /v1: is it a Trunkline, and its newest version?"
        return f"{self._server} refuses the request: {told}"


def _envelope(data: str) -> EventView:
    try:
        return from_envelope(data.encode())
    except msgspec.DecodeError as error:
        raise CommandFailed(
            f"what comes on the stream is no event of Trunkline: {error}"
        ) from error


def _types(bindings: tuple[Binding, ...]) -> dict[str, str]:
    return {"types": ",".join(each.text for each in bindings)} if bindings else {}


@contextmanager
def _transient() -> Iterator[None]:
    """What the network does may be better a little later."""
    try:
        yield
    except SSEError as error:
        raise CommandFailed("what answers there is no event stream: is there a proxy?") from error
    except httpx.ReadTimeout as error:
        raise TransientFailure(f"no sign of life for {SILENCE:g} s") from error
    except httpx.TransportError as error:
        raise TransientFailure(f"no connection: {error or type(error).__name__}") from error
