"""What names, numbers and addresses of the directory may look like; each function says why it refuses one.

Each returns the value as it is stored, or raises DirectoryRefused.
"""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from collections.abc import Sequence

from trunkline.calls.recording_names import FORMATS, RecordingFormat, known_format
from trunkline.routing.dialling import compact
from trunkline.routing.emergency import is_country


class DirectoryRefused(Exception):
    """The directory cannot be changed so; the message says why, and what would do."""


_ID = re.compile(r"[0-9a-f]{32}")
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_EXTENSION = re.compile(r"[1-9][0-9]{1,6}")
_SIP_USER = re.compile(r"[A-Za-z0-9_.-]{1,64}")
SAFE_PASSWORD = 12
"""So many characters, or more, nobody guesses over a network."""
_SIP_USERS_TAKEN = {"anonymous", "."}
_PREFIX = re.compile(r"\+?[0-9]{1,15}")
_PREPEND = re.compile(r"\+?[0-9]{0,15}")
_CALLER_ID = re.compile(r"\+?[0-9]{2,15}")
_DID = re.compile(r"\+?[0-9]{3,15}")
_HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*"
)
_SHORT = re.compile(r"[0-9]{2,8}", re.ASCII)
_MOST = re.compile(r"[0-9]{1,5}", re.ASCII)
_AUTH_USER = re.compile(r"[A-Za-z0-9_.+@-]{1,128}")


def _refuse_unless(fits: object, message: str) -> None:
    if not fits:
        raise DirectoryRefused(message)


def label(text: str, what: str) -> str:
    """A name that people choose. It is never 32 hex digits, so it cannot be taken for an id."""
    fits = 0 < len(text) <= 64 and text.isprintable() and text == text.strip()
    _refuse_unless(
        fits and not _ID.fullmatch(text),
        f"{text!r} cannot be {what}: take 1 to 64 printable characters, not just 32 hex digits",
    )
    return text


def display_name(text: str) -> str:
    _refuse_unless(
        len(text) <= 80 and (not text or text.isprintable()),
        f"{text!r} cannot be a name: take at most 80 printable characters",
    )
    return text


def timezone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DirectoryRefused(
            f"{name!r} is not a time zone: take an IANA name, such as Asia/Ho_Chi_Minh"
        ) from error
    return name


def username(text: str) -> str:
    _refuse_unless(
        _USERNAME.fullmatch(text) and not _ID.fullmatch(text),
        f"{text!r} cannot be a user name: take up to 64 letters, digits and _ . @ -, "
        "a letter or digit first",
    )
    return text


def extension(text: str) -> str:
    _refuse_unless(
        _EXTENSION.fullmatch(text),
        f"{text!r} cannot be an extension: take 2 to 7 digits, not 0 first",
    )
    return text


def sip_user(text: str) -> str:
    """A device's name, which is also the name of its endpoint in Asterisk."""
    fits = _SIP_USER.fullmatch(text) and not text.lower().startswith("trunk-")
    _refuse_unless(
        fits and text not in _SIP_USERS_TAKEN and not _ID.fullmatch(text),
        f"{text!r} cannot be a SIP user: take up to 64 letters, digits and _ . -, "
        "not starting with trunk-",
    )
    return text


def sip_password(text: str, *, weak: bool = False) -> str:
    """A password that a device is to register with; ``weak``: it may be a short one."""
    _refuse_unless(
        0 < len(text) <= 128 and text.isprintable(),
        "a SIP password has 1 to 128 printable characters: leave it out to have one made",
    )
    _refuse_unless(
        weak or not is_weak(text),
        f"a SIP password of {len(text)} characters can be guessed: take {SAFE_PASSWORD} or more, leave it out to have "
        "one made, or say --allow-weak-password",
    )
    return text


def is_weak(password: str) -> bool:
    return len(password) < SAFE_PASSWORD


def caller_id(text: str | None) -> str | None:
    _refuse_unless(
        text is None or _CALLER_ID.fullmatch(text),
        f"{text!r} cannot be a caller ID: take 2 to 15 digits, with + or without",
    )
    return text


def prefixes(parts: Sequence[str], option: str) -> str:
    for part in parts:
        _refuse_unless(
            _PREFIX.fullmatch(part),
            f"{option}: {part!r} is not a prefix: take digits, with + or without",
        )
    return ",".join(parts)


def prepend(text: str) -> str:
    _refuse_unless(
        _PREPEND.fullmatch(text),
        f"--prepend: {text!r} cannot stand before a number: take + or digits",
    )
    return text


def did(text: str) -> str:
    """An inbound number, from any spelling in which it could be dialled."""
    bare = compact(text)
    _refuse_unless(
        _DID.fullmatch(bare), f"{text!r} is not a number: take 3 to 15 digits, with + or without"
    )
    return bare


def networks(parts: Sequence[str], option: str) -> str:
    try:
        return ",".join(_network(part) for part in parts)
    except ValueError as error:
        raise DirectoryRefused(
            f"{option}: {error}: take addresses such as 203.0.113.7 or 203.0.113.0/28"
        ) from error


def _network(text: str) -> str:
    network = ipaddress.ip_network(text.strip(), strict=False)
    return str(network.network_address if network.num_addresses == 1 else network)


def host_and_port(text: str, default: int) -> tuple[str, int]:
    """A carrier's ``HOST:PORT`` or ``HOST``: an IPv4 address or a name."""
    host, _, port = text.partition(":")
    _refuse_unless(
        _HOST.fullmatch(host)
        and (not port or (port.isascii() and port.isdigit()))
        and 0 < int(port or default) < 65536
        and not text.endswith(":"),
        f"{text!r} is not HOST:PORT: take an IPv4 address or a name, such as sip.example.com:5060",
    )
    return host, int(port or default)


def transport(text: str) -> str:
    _refuse_unless(text in {"udp", "tcp", "tls"}, f"{text!r} is no transport: udp, tcp or tls")
    return text


def recording_format(text: str) -> RecordingFormat:
    known = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
    _refuse_unless(text in FORMATS, f"{text!r}: a recording's format is {known}")
    return known_format(text)


def srtp(text: str) -> str:
    _refuse_unless(
        text in {"off", "optional", "required"}, f"{text!r}: SRTP is off, optional or required"
    )
    return text


def trunk_srtp(text: str, transport: str) -> str:
    """Its keys stand in SIP."""
    srtp(text)
    _refuse_unless(
        text == "off" or transport == "tls",
        f"--srtp {text} needs --transport tls: SRTP's keys would cross the network in clear SIP",
    )
    return text


def country(text: str) -> str | None:
    """A country's code, or None for ``none``."""
    _refuse_unless(
        text == "none" or is_country(text.upper()),
        f"--country: {text!r} is no country: take two letters of ISO 3166, such as VN, or none",
    )
    return None if text == "none" else text.upper()


def emergency(parts: Sequence[str]) -> tuple[str, ...]:
    for part in parts:
        _refuse_unless(
            _SHORT.fullmatch(part),
            f"--emergency-numbers: {part!r} is no short number: take 2 to 8 digits",
        )
    return tuple(dict.fromkeys(parts))


def most(text: str, option: str) -> int | None:
    """A limit, or None for ``none``."""
    _refuse_unless(
        text == "none" or _MOST.fullmatch(text),
        f"{option}: {text!r} is no limit: take a number from 0 to 99999, or none",
    )
    return None if text == "none" else int(text)


def credentials(user: str | None, password: str | None, register: bool) -> None:
    """A trunk has both or neither, and both to register."""
    _refuse_unless(
        (user is None) == (password is None),
        "give both --auth-user and --auth-password, or neither (the carrier knows our address)",
    )
    _refuse_unless(user or not register, "--register needs --auth-user and --auth-password")
    if user is not None and password is not None:
        _refuse_unless(_AUTH_USER.fullmatch(user), f"{user!r} cannot be an --auth-user")
        _refuse_unless(
            0 < len(password) <= 128 and password.isprintable(),
            "--auth-password has 1 to 128 printable characters",
        )
