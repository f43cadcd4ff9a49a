"""/v1 under requests at random: nothing breaks it, and all that it answers is in its document."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi import checks

from store.making import record
from trunkline.api.application import build_api
from trunkline.api.docs.openapi import openapi_document
from trunkline.store.ports.database import Batch

from .conftest import Office

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


class Served:
    """The door on a port of its own, in a thread of its own."""

    def __init__(self, path: Path) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(path)), daemon=True)
        self._thread.start()
        assert self._ready.wait(60)

    async def _serve(self, path: Path) -> None:
        office = Office(path)
        await office.tell(30, call_id="call-1")
        ended = record("call-1", office.account.account_id, recording="call_recording_1.mp3")
        await office.db.calls.commit(Batch(finished=[ended]))
        self.key = office.key()
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        api = build_api(office.deps(auth_failures="100000/second"))
        self.server = uvicorn.Server(uvicorn.Config(api, log_level="error"))
        self._ready.set()
        await self.server.serve([listener])
        await office.db.close()

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join(60)


@pytest.fixture(scope="module")
def served_v1(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("fuzzed") / "trunkline.db")
    yield served
    served.stop()


FRAMING = {"content-length", "transfer-encoding", "connection", "upgrade", "expect"}
"""Headers that say where a request ends: a wrong one makes it no request, which uvicorn answers."""

fuzzed = schemathesis.openapi.from_dict(openapi_document()).include(path_regex="^/v1/")
fuzzed = fuzzed.exclude(path="/v1/events/stream")


@pytest.mark.parametrize("with_key", [True, False])
@fuzzed.parametrize()
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_breaks_it(case: Any, with_key: bool, served_v1: Served) -> None:
    if case.query and "wait" in case.query:
        case.query["wait"] = "0"  # nobody has a minute for each
    sent = {
        name: text for name, text in dict(case.headers or {}).items() if name.lower() not in FRAMING
    }
    if with_key:
        sent["authorization"] = f"Bearer {served_v1.key}"
    case.headers = sent
    answer = case.call(base_url=served_v1.url)
    case.validate_response(answer, checks=CHECKS)
