"""What one server takes for itself: its data directory, its addresses, its HTTP server."""

from __future__ import annotations

import contextlib
import functools
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from filelock import FileLock, Timeout
from uvicorn.middleware.proxy_headers import _TrustedHosts

from trunkline.live.door import Live
from trunkline.live.http.addresses import Addresses
from trunkline.live.http.protocol import EventHttp, HttpRules
from trunkline.server import open_files
from trunkline.server.setting_forms import SettingsError, address, host_names
from trunkline.server.settings import Settings


class AlreadyRunning(Exception):
    """Another server has the data directory; the message says which directory."""


@contextlib.contextmanager
def data_lock(directory: Path) -> Iterator[None]:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(directory / "lock")
    try:
        with lock.acquire(timeout=0):
            yield
    except Timeout:
        raise AlreadyRunning(
            f"a server runs on {directory} already: stop it, or choose another --data directory"
        ) from None


def listen(settings: Settings, reuse_port: bool = False) -> socket.socket:
    """The HTTP socket; raises SettingsError when the address is taken.

    ``reuse_port``: other processes of the same user may listen there, too (Linux' SO_REUSEPORT).
    """
    host, port = address(settings.http, "http")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"http: {settings.http} cannot be had ({error.strerror}): choose another with --http"
        ) from error
    return listening


def refuse_taken_sip(settings: Settings) -> None:
    """Raise SettingsError unless UDP and TCP are free at the SIP address."""
    host, port = address(settings.sip, "sip")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise SettingsError(
                    f"sip: {settings.sip} cannot be had ({error.strerror}): "
                    "choose another with --sip"
                ) from error


def _served_hosts(settings: Settings) -> frozenset[str]:
    """What requests may call us by; none: anything."""
    named = host_names(settings.allowed_hosts, "allowed_hosts")
    own = {address(settings.http, "http")[0].lower(), "localhost", "127.0.0.1", "::1"}
    public = urlsplit(settings.public_url).hostname
    return named | own | ({public} if public else set()) if named else frozenset()


class WebServer(uvicorn.Server):
    """uvicorn without its signal handlers: a stop has to drain calls first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def web_server(
    settings: Settings, application: Live, addresses: Addresses | None = None
) -> WebServer:
    rules = HttpRules(
        descriptors=open_files.for_connections(),
        request_seconds=settings.request_seconds,
        proxies=_TrustedHosts(settings.forwarded_allow_ips),
        addresses=addresses or Addresses(),
        hosts=_served_hosts(settings),
    )
    return WebServer(
        uvicorn.Config(
            application,
            loop="none",
            http=functools.partial(EventHttp, rules=rules),  # type: ignore[arg-type]
            ws=application.sockets,  # type: ignore[arg-type]  # a maker of protocols does as well
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips=settings.forwarded_allow_ips,
            timeout_keep_alive=settings.keep_alive_seconds,
            timeout_graceful_shutdown=5,
            lifespan="on",
        )
    )
