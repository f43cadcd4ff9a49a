"""Where a webhook goes, read from its URL."""

from __future__ import annotations

import httpx
import msgspec

from trunkline.webhooks.addresses import Addresses
from trunkline.webhooks.port import UrlRefused

LONGEST = 2048
_PORTS = {"http": 80, "https": 443}
_FIRST_FREE_PORT = 1024


class Target(msgspec.Struct, frozen=True):
    """A URL that may be posted to, as far as the URL alone can tell."""

    scheme: str
    host: str
    """As it is looked up: a name in ASCII (IDNA), or an address without brackets."""
    port: int
    path: str
    """With the query."""

    @property
    def authority(self) -> str:
        """The ``Host`` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def check(self, address: str, addresses: Addresses) -> None:
        """Raises UrlRefused where this address of the host may not be posted to."""
        addresses.check(address)
        if addresses.lists(address):
            return
        if self.scheme != "https":
            raise UrlRefused(
                "plain http reaches only networks of the setting webhook_allow: take https"
            )
        if self.port != _PORTS["https"] and self.port < _FIRST_FREE_PORT:
            raise UrlRefused(
                f"port {self.port} belongs to another service: take 443, or 1024 and above"
            )


def parse(text: str) -> Target:
    """Read the URL; raises UrlRefused where it cannot be an endpoint's."""
    if len(text) > LONGEST:
        raise UrlRefused(f"a URL has at most {LONGEST} characters")
    if not text.isprintable() or " " in text:
        raise UrlRefused("the URL has a space or a control character in it")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise UrlRefused(f"this is not a URL: {error}") from error
    return _target(url)


def _target(url: httpx.URL) -> Target:
    if url.scheme not in _PORTS or not url.raw_host:
        raise UrlRefused("take a URL such as https://example.com/hooks")
    if url.userinfo:
        raise UrlRefused("the URL has a user or a password in it: leave them out")
    if url.fragment:
        raise UrlRefused("the URL has a #fragment, which is never sent: leave it out")
    port = _PORTS[url.scheme] if url.port is None else url.port
    if not 0 < port < 65536:
        raise UrlRefused(f"there is no port {port}")
    host = url.raw_host.decode("ascii")
    return Target(url.scheme, host, port, url.raw_path.decode("ascii"))
