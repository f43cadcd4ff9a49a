"""``python -m attack.web`` (in tests/): attacks the HTTP side of a server that it starts, on the loopback, in a few minutes.

A line for each case; it ends with status 1 where something did not hold.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from whole.ports import Ports
from whole.server import Server

from . import costs, crowds, paths, smuggling, sockets, webhooks
from .report import Report
from .target import Target

SCOPES = "calls:read,calls:write,events:read,webhooks:read,webhooks:write"
QUICK = (paths, smuggling, sockets, webhooks)
ALL = (*QUICK, costs, crowds)
SETTINGS = {"drain_seconds": 1, "v1_request_rate": "100000/second"}


async def target_of(server: Server) -> Target:
    """A running server with an account of ours."""
    account, app, key = await server.commands(
        ("account", "create", "attacked"),
        ("app", "create", "--account", "attacked"),
        ("key", "create", "attacker", "--account", "attacked", "--scopes", SCOPES),
    )
    from whole.api import Api

    api = Api(server.url, account["accountId"], app["appId"], app["appSecret"])
    token = (await api.auth_token()).json()
    await api.http.aclose()
    internal = json.loads((server.data / "server.json").read_text())["token"]
    port = int(server.http.rpartition(":")[2])
    return Target(server, port, account["accountId"], _token(token), key["key"], internal)


def _token(answer: dict[str, object]) -> str:
    """Wherever it stands in the answer."""
    for value in answer.values():
        if isinstance(value, dict):
            return _token(value)
        if isinstance(value, str) and len(value) == 32:
            return value
    return ""


async def attacked(target: Target, report: Report, kinds: tuple[object, ...] = ALL) -> None:
    """All cases of these kinds; after each, the server has to be as well as before."""
    assert target.server.program
    pid = target.server.program.pid
    for kind in kinds:
        await kind.attack(target, report)  # type: ignore[attr-defined]
        name = str(kind.__name__).rpartition(".")[2]  # type: ignore[attr-defined]
        alive = target.server.program.status is None and target.server.program.pid == pid
        report.case(f"after {name}: the server is well", alive and await target.server.healthy())
    told = target.server.log
    report.case("nothing failed in the server", "Traceback" not in told, told[-300:])
    report.case("no secret is in its log", not any(
        secret in told for secret in (target.key, target.token, target.internal)
    ))  # fmt: skip


async def main() -> int:
    ports, report = Ports(), Report()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        server = Server(data, ports.one(), ports.one(), ports.range(100), dict(SETTINGS))
        try:
            await server.start()
            await attacked(await target_of(server), report)
        finally:
            await server.stop()
            ports.close()
    return report.end()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
