"""trunkline doctor: look at everything that calls need, and say how to mend what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from trunkline.cli.context import settings_of
from trunkline.cli.options import Json
from trunkline.cli.running_server import running_server
from trunkline.server import setting_forms, settings
from trunkline.server.server_file import ADDRESSES

if TYPE_CHECKING:
    from trunkline.engine.process.examine import Finding
    from trunkline.server.server_file import ServerFile

_MARKS = {True: "ok", False: "FAILED", None: "not checked"}
SECONDS = 5.0


def doctor(
    ctx: typer.Context,
    as_json: Json = False,
) -> None:
    """Check engine, ports, disk, clock, certificate, data directory, database, trunks and webhooks.

    Says how to mend what is wrong. Exit status 1 when a check failed. Changes nothing.
    """
    findings = list(_findings(settings_of(ctx)))
    if as_json:
        typer.echo(msgspec.json.encode(findings).decode())
    else:
        _print(findings)
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(1)


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        typer.echo(f"{finding.name:<{width}}  {_MARKS[finding.ok]:<11}  {finding.detail}")
        if finding.mend and finding.ok is not True:
            typer.echo(f"{'':<{width}}  {'':<11}  -> {finding.mend}")


def _findings(chosen: settings.Settings) -> Iterator[Finding]:
    from trunkline.cli.server.doctor_database import database
    from trunkline.engine.process import examine
    from trunkline.server.wiring.engine import more_modules

    data = chosen.directory
    server = running_server(data)
    pid = examine.engine_pid(data / "engine")
    yield examine.data_directory(data)
    yield examine.key_file(data / "secret.key")
    yield examine.disk(data)
    yield examine.clock()
    more = more_modules(chosen)
    yield examine.engine(settings.default_cache(), chosen.engine_prefix, more)
    yield examine.running(pid)
    yield examine.sockets(data / "engine")
    yield examine.sip_connections(settings.sip_tcp_ports(chosen), [pid] if pid else [])
    yield from _ports(
        _listening(chosen, server), [p for p in (pid, server.pid if server else None) if p]
    )
    yield _certificate(chosen)
    yield from _server(server)
    yield from database(chosen, server is not None)


def _listening(chosen: settings.Settings, server: ServerFile | None) -> settings.Settings:
    """With the addresses of the server that runs: its flags may have set others than the settings here."""
    told = server.listens if server else {}
    return msgspec.structs.replace(
        chosen, **{name: told[name] for name in ADDRESSES if name in told}
    )


def _ports(chosen: settings.Settings, ours: list[int]) -> Iterator[Finding]:
    from trunkline.engine.process import examine

    yield examine.port("http", setting_forms.address(chosen.http, "http"), ["tcp"], ours)
    yield examine.port("sip", setting_forms.address(chosen.sip, "sip"), ["udp", "tcp"], ours)
    if chosen.sip_tls:
        yield examine.port(
            "sip_tls", setting_forms.address(chosen.sip_tls, "sip_tls"), ["tcp"], ours
        )
    yield examine.rtp(setting_forms.port_range(chosen.rtp, "rtp"), ours)


def _certificate(chosen: settings.Settings) -> Finding:
    from trunkline.engine.process import examine

    if not chosen.sip_tls:
        return examine.Finding("certificate", None, "sip_tls is off")
    return examine.certificate(Path(chosen.sip_tls_cert), Path(chosen.sip_tls_key))


def _server(server: ServerFile | None) -> Iterator[Finding]:
    """What the running server says by ``/readyz``."""
    from trunkline.engine.process.examine import Finding

    if server is None:
        yield Finding("server", None, "no server runs on this data directory", "trunkline up")
        return
    said = _ready(server)
    if said is None:
        yield Finding("server", False, f"{server.url} does not answer", "restart trunkline up")
        return
    for name, state in said.get("checks", {}).items():
        yield Finding(f"server: {name}", state == "ok", str(state))


def _ready(server: ServerFile) -> dict[str, Any] | None:
    import httpx

    try:
        answer = httpx.get(f"{server.url}/readyz", timeout=SECONDS, trust_env=False)
        return msgspec.json.decode(answer.content, type=dict[str, Any])
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError, msgspec.ValidationError):
        return None
