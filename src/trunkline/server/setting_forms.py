"""Reads the values of settings: each function parses one, or raises SettingsError, which says what would do."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from urllib.parse import parse_qsl, urlsplit

_LONGEST_PAUSE = 30 * 86_400


class SettingsError(Exception):
    """A setting that cannot be used; the message names it and says what would do."""


def address(text: str, setting: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if (
        not colon
        or not host
        or not port.isascii()
        or not port.isdigit()
        or not 0 < int(port) < 65536
    ):
        raise SettingsError(f"{setting}: {text!r} is not HOST:PORT, such as 127.0.0.1:8080")
    return host.strip("[]"), int(port)


def port_range(text: str, setting: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not dash or not first.isdigit() or not last.isdigit():
        raise SettingsError(f"{setting}: {text!r} is not FROM-TO, such as 10000-20000")
    if not 1024 <= int(first) < int(last) < 65536 or int(last) - int(first) < 3:
        raise SettingsError(f"{setting}: {text!r} needs at least four ports between 1024 and 65535")
    return int(first), int(last)


_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?", re.ASCII)


def host_names(text: str, setting: str) -> frozenset[str]:
    """Names, ``*.`` before a name, and addresses, in small letters."""
    parts = [part.strip().lower().strip("[]") for part in text.split(",") if part.strip()]
    for part in parts:
        if not _HOST.fullmatch(part) and not _is_address(part):
            raise SettingsError(f"{setting}: {part!r} is no host such as phone.example.com")
    return frozenset(parts)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def networks(text: str, setting: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    for part in parts:
        try:
            ip_network(part, strict=False)
        except ValueError as error:
            raise SettingsError(f"{setting}: {error}: take networks such as 10.1.0.0/16") from error
    return parts


def pauses(text: str, setting: str) -> tuple[float, ...]:
    try:
        seconds = tuple(float(part) for part in text.split(","))
    except ValueError:
        seconds = ()
    if not seconds or not all(0 < each <= _LONGEST_PAUSE for each in seconds):
        raise SettingsError(f"{setting}: {text!r} are not seconds, such as 5,300,1800")
    return seconds


# The parameters that both drivers understand (libpq's connection URIs, PostgreSQL's documentation 34.1.2).
_URL_PARAMETERS = frozenset(
    ("host", "port", "dbname", "user", "password", "passfile", "target_session_attrs")
) | {f"ssl{name}" for name in ("mode", "cert", "key", "password", "rootcert")}


def check_database(url: str) -> None:
    """Raises SettingsError, which shows no part of the URL: there is a password in it."""
    form = "take postgresql://USER:PASSWORD@HOST/NAME"
    try:
        parts = urlsplit(url)
        names = {name for name, _ in parse_qsl(parts.query, True, strict_parsing=bool(parts.query))}
        named = parts.path.strip("/") or "dbname" in names
    except ValueError:
        raise SettingsError(f"database: this is no URL: {form}") from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise SettingsError(f"database: only PostgreSQL has a URL: {form}, or leave it empty")
    if parts.fragment:
        raise SettingsError("database: a # in a password is written %23")
    if unknown := sorted(names - _URL_PARAMETERS):
        raise SettingsError(
            f"database: the URL's parameter {unknown[0]!r} is not known: "
            f"take of {', '.join(sorted(_URL_PARAMETERS))}"
        )
    if not named:
        raise SettingsError(f"database: the URL names no database: {form}")


def check_main_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and not parts.username
    except ValueError:
        good = False
    if not good or parts.path.strip("/") or parts.query or parts.fragment:
        raise SettingsError("main_url: this is no address such as http://10.0.0.5:8080")


def check_rate(name: str, text: str) -> None:
    from limits import parse_many

    try:
        parse_many(text)
    except ValueError as error:
        raise SettingsError(f"{name}: {text!r} is not a rate, such as 20/second") from error
