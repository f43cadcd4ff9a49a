"""``trunkline demo``: a real server with a sandbox, used only through its public surface."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import httpx
from websockets.asyncio.client import ClientConnection, connect

from trunkline.sandbox.engine import read_sandbox
from trunkline.sandbox.magic_numbers import MAGIC_NUMBERS
from trunkline.sandbox.prepare import Sandbox
from trunkline.server.main import engine_for
from trunkline.server.settings import Settings

Say = Callable[[str], None]

_START_SECONDS = 120.0
_CALL_SECONDS = 60.0
_PHONE = "sandbox-alice"


class DemoFailed(Exception):
    """The demonstration did not come to its end; the message says where, and where to look."""


async def run_demo(settings: Settings, data: str | None, number: str, keep: bool, say: Say) -> None:
    say("==> The phone engine (fetched once, then kept)")
    installed = await asyncio.to_thread(engine_for, settings, _progress(say))
    say(f"    Asterisk {installed.version}")
    with _directory(data) as directory:
        async with _server(settings, directory, say) as url:
            sandbox = read_sandbox(directory)
            if sandbox is None:
                raise DemoFailed(f"the server made no sandbox in {directory}")
            await _Call(url, sandbox, say).show(number)
            if keep:
                say(f"\nThe server goes on at {url} until Ctrl-C; its data is in {directory}")
                await asyncio.Event().wait()


@contextlib.contextmanager
def _directory(data: str | None) -> Any:
    if data is not None:
        yield Path(data).absolute()
        return
    with tempfile.TemporaryDirectory(prefix="trunkline-demo-") as made:
        yield Path(made)


@contextlib.asynccontextmanager
async def _server(settings: Settings, directory: Path, say: Say) -> AsyncIterator[str]:
    """``trunkline up --sandbox`` on free ports of 127.0.0.1, stopped at the end."""
    http, sip, rtp = _free_tcp(), _free_udp(), _free_range()
    say(f"==> A server with a sandbox: HTTP on 127.0.0.1:{http}, SIP on 127.0.0.1:{sip}")
    log = directory / "demo.log"
    with _log_file(log) as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "trunkline", "--data", str(directory), "up", "--sandbox"),
            *("--http", f"127.0.0.1:{http}", "--sip", f"127.0.0.1:{sip}", "--rtp", rtp),
            *("--drain-seconds", "0", "--log-format", "json"),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, "TRUNKLINE_ENGINE_PREFIX": settings.engine_prefix},
        )
    url = f"http://127.0.0.1:{http}"
    try:
        await _ready(url, process, log)
        yield url
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


def _log_file(log: Path) -> BinaryIO:
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return log.open("wb")


def _last_line(log: Path) -> str:
    return "".join(log.read_text(errors="replace").strip().splitlines()[-1:])


async def _ready(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    async with httpx.AsyncClient(trust_env=False) as client:
        while asyncio.get_running_loop().time() < deadline:
            if process.returncode is not None:
                raise DemoFailed(f"the server ended as it started: {_last_line(log)}")
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(f"{url}/healthz")).is_success:
                    return
            await asyncio.sleep(0.1)
    raise DemoFailed(f"the server was not ready after {_START_SECONDS:.0f} s; its log is {log}")


class _Call:
    def __init__(self, url: str, sandbox: Sandbox, say: Say) -> None:
        self._url, self._sandbox, self._say = url, sandbox, say
        self._client = httpx.AsyncClient(base_url=url, trust_env=False)
        self._recordings: list[str] = []

    async def show(self, number: str) -> None:
        """Subscribe, call, print; returns after the recording has been fetched."""
        async with self._client, self._events() as events:
            call_id = await self._place(number)
            self._say("==> Events, as they come")
            recorded = await self._follow(events, call_id)
            record = await self._record(call_id)
            self._say("==> The record: GET /oapi/v1/call/histories")
            self._say(_indented(record))
            _check_outcome(number, record["status_detail"])
            if recorded:
                await self._recording(record["recording"])

    @contextlib.asynccontextmanager
    async def _events(self) -> AsyncIterator[ClientConnection]:
        answer = await self._client.post("/oapi/v1/voice/auth_token", headers=self._headers())
        token = answer.raise_for_status().json()
        self._say("==> An event-socket token: POST /oapi/v1/voice/auth_token")
        socket_url = self._url.replace("http", "ws", 1) + "/oapi/v1/voice/events"
        async with connect(socket_url, proxy=None) as events:
            subscribe = {
                "action": "subscribe",
                "auth_token": token["value"],
                "request_id": "demo",
                "data": {"account_id": token["account_id"], "binding": "call.*.*"},
            }
            await events.send(json.dumps(subscribe))
            reply = json.loads(await events.recv())
            if reply.get("status") != "success":
                raise DemoFailed(f"the event socket refused the subscription: {reply}")
            yield events

    async def _place(self, number: str) -> str:
        self._say(f"==> {_PHONE} calls {number}: POST /oapi/v1/call/click-to-call/{number}")
        body = {"sipUser": _PHONE, "sipPassword": self._sandbox.phones[_PHONE]}
        path = f"/oapi/v1/call/click-to-call/{number}"
        answer = await self._client.post(path, headers=self._headers(), json=body)
        self._say(f"    {answer.status_code} {answer.text}")
        if not answer.is_success:
            raise DemoFailed(f"the call was refused: {answer.text}")
        return str(answer.json()["call_id"])

    async def _follow(self, events: ClientConnection, call_id: str) -> bool:
        """Print the call's events; True when a recording was made."""
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                async for frame in events:
                    event = json.loads(frame).get("data", {})
                    if event.get("custom_channel_vars", {}).get("call_interaction_id") != call_id:
                        continue
                    self._say(_line(event))
                    if event["event_name"] == "CALL_ENDED" and not event["recording"]:
                        return False
                    if event["event_name"] in ("RECORDING_READY", "RECORDING_FAILED"):
                        return bool(event["event_name"] == "RECORDING_READY")
        except TimeoutError:
            raise DemoFailed(f"the call did not end within {_CALL_SECONDS:.0f} s") from None
        raise DemoFailed("the event socket was closed")

    async def _record(self, call_id: str) -> dict[str, Any]:
        now = datetime.now(UTC)
        start = (now - timedelta(hours=1)).isoformat(timespec="seconds")
        end = (now + timedelta(minutes=1)).isoformat(timespec="seconds")
        query = {"created_from": start, "created_to": end}
        records = await self._get("/oapi/v1/call/histories", query)
        found = [record for record in records if record["call_id"] == call_id]
        if len(found) != 1:
            raise DemoFailed(f"the history holds {len(found)} records of the call, not one")
        return dict(found[0])

    async def _recording(self, name: str) -> None:
        answer = await self._get("/oapi/v1/call/play_recording", {"media": name})
        self._say("==> The recording: GET /oapi/v1/call/play_recording")
        self._say(f"    {answer['media']}")
        audio = await self._client.get(answer["media"])
        if not audio.is_success:
            raise DemoFailed(f"the recording's URL answered {audio.status_code}")
        kind, size = audio.headers["content-type"], len(audio.content)
        self._say(f"    {kind}, {size} bytes: the caller left, the callee right")

    async def _get(self, path: str, query: dict[str, str]) -> Any:
        signed = {"appId": self._sandbox.app_id, **query, "hash": self._hash(*query.values())}
        answer = await self._client.get(path, params=signed)
        if not answer.is_success:
            raise DemoFailed(f"{path} answered {answer.status_code}: {answer.text}")
        return answer.json()

    def _headers(self) -> dict[str, str]:
        return {"x-auth-app-id": self._sandbox.app_id, "x-auth-app-hash": self._hash()}

    def _hash(self, *values: str) -> str:
        text = self._sandbox.app_id + "".join(values) + self._sandbox.app_secret
        return hashlib.sha256(text.encode()).hexdigest()


def _check_outcome(number: str, got: str) -> None:
    for magic in MAGIC_NUMBERS:
        if magic.number == number and magic.status_detail != got:
            raise DemoFailed(f"{number} {magic.does}: {magic.status_detail} expected, not {got}")


def _line(event: dict[str, Any]) -> str:
    name, leg = event["event_name"], event.get("call_id", "")
    of = event.get("to") or event.get("media_name") or event.get("status_detail") or ""
    cause = event.get("hangup_cause") if name == "CHANNEL_DESTROY" else None
    return f"    #{event['event_seq']:<3} {name:<17} {leg[-12:]:>12}  {of}  {cause or ''}".rstrip()


def _indented(value: Any) -> str:
    return "\n".join("    " + line for line in json.dumps(value, indent=2).splitlines())


def _progress(say: Say) -> Callable[[str, float | None], None]:
    last = [""]

    def progress(what: str, done: float | None) -> None:
        percent = "" if done is None else f" {int(done * 10) * 10} %"
        if (line := f"    {what}{percent}") != last[0]:
            last[0] = line
            say(line)

    return progress


def _free_tcp() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _free_udp() -> int:
    """A port that is free for SIP over both UDP and TCP."""
    while True:
        port = _free_tcp()
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _free_range() -> str:
    first = _free_udp() // 2 * 2
    first = min(first, 65_000)
    return f"{first}-{first + 60}"
