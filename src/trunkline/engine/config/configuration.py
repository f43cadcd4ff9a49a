"""The engine's configuration, made from the templates in ``etc/`` at each start.

A placeholder is ``@NAME@``. What changes while the engine runs is not here: devices are read from
the database, and trunks from a file of their own (``trunks.py``).
"""

from __future__ import annotations

import hashlib
import os
import re
from importlib import resources
from pathlib import Path

import msgspec

from trunkline.engine.config import contacts, forwards, music, realtime, registered, trusted
from trunkline.engine.config.realtime import PostgresqlViews, RealtimeError
from trunkline.engine.config.trunks import NOBODY
from trunkline.routing.dialling import dropped_beyond_ascii
from trunkline.routing.ports import legs

OPUS = ("codec_opus_open_source.so", "res_format_attr_opus.so")
"""What an engine needs for Opus: not every Asterisk has it, and without it a call that has Opus is silent."""

_SILENT = {"ulaw": b"\xff", "alaw": b"\xd5", "g722": b"\xfa"}
"""8,000 a second are silence. A phone gets that of the codec that it speaks."""
_PLACEHOLDER = re.compile(r"@([A-Z_]+)@")
_UNSAFE_PATH = re.compile(r"[^A-Za-z0-9_./+=:-]")

TRUNKS_FILE = "pjsip_trunks.conf"
_POSTGRESQLS_OWN = {"res_pgsql.conf", realtime.SERVICE_FILE}


class ConfigurationError(Exception):
    """The engine cannot be configured so; the message says what to change."""


class CaptureAddress(msgspec.Struct, frozen=True):
    """The port on 127.0.0.1 to which the engine sends its SIP messages (HEPv3 over UDP), and the password."""

    port: int
    password: str

    def __repr__(self) -> str:
        return f"CaptureAddress(port={self.port})"


class EngineConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """What one engine's configuration is made of. Paths are absolute, ``home`` is the engine's own.

    ``database`` is where it reads devices and routes: a SQLite file, or views in PostgreSQL. Without an
    ``ami_port`` there is no AMI.
    """

    home: Path
    run: Path
    modules: Path
    share: Path
    database: Path | PostgresqlViews
    system: str
    ari_port: int
    ari_password: str
    sip: tuple[str, int]
    rtp: tuple[int, int]
    realm: str
    external: str = ""
    tls: tuple[str, int] | None = None
    tls_cert: str = ""
    tls_key: str = ""
    tls_ca: str = ""
    """Further certificates that a carrier's may be signed by, or be: a PEM file."""
    ring_seconds: int = 60
    max_call_seconds: int = 14_400
    keep_free_mb: int = 8
    """No call begins while the disk of the event log has less room."""
    media_from_anywhere: bool = False
    more_modules: tuple[str, ...] = ()
    capture: CaptureAddress | None = None
    ami_port: int = 0
    ami_password: str = ""

    def __repr__(self) -> str:
        return f"EngineConfiguration(home={str(self.home)!r}, sip={self.sip!r})"

    @property
    def etc(self) -> Path:
        return self.home / "etc"

    @property
    def spool(self) -> Path:
        """Raw recordings are written in its ``live/``, and moved to its ``done/`` when they are final."""
        return self.home / "spool"

    @property
    def prompts(self) -> Path:
        """The prompts of announcements; they stand beside the engine's own files, since people made them."""
        return self.home.parent / "prompts"

    @property
    def music(self) -> Path:
        """The music that people uploaded, a folder each; beside the engine's own files, too."""
        return self.home.parent / "music"


def event_log(home: Path) -> Path:
    """The event log (CEL) of the engine in ``home``, where ``cel_event_log.conf`` has it written."""
    return home / "log" / "cel-custom" / "cel.csv"


def write(
    config: EngineConfiguration, overlay: str | None = None, more: dict[str, str] | None = None
) -> str:
    """Write the whole configuration; returns a digest that differs when the configuration does.

    ``overlay`` names a folder beside ``etc/`` whose files replace those of the same name, and
    ``more`` its further placeholders. Raises ConfigurationError for a path that Asterisk's syntax
    cannot hold, and for a database that Asterisk cannot reach so.
    """
    _check_paths(config)
    for folder in ("etc", "log/cel-custom", "lib/keys", "spool/live", "spool/done"):
        (config.home / folder).mkdir(parents=True, exist_ok=True)
    files = _files(config, overlay, more)
    for name, text in files.items():
        write_private(config.etc / name, text)
    for name in _POSTGRESQLS_OWN - set(files):
        (config.etc / name).unlink(missing_ok=True)
    for codec, byte in _SILENT.items():
        (config.home / "lib" / f"silent.{codec}").write_bytes(byte * 160)
    trunks = config.etc / TRUNKS_FILE
    if not trunks.exists():
        write_private(trunks, NOBODY)
    music.make_data_directory(config.home / "share", config.share, config.music)
    astdb = config.home / "lib" / "astdb.sqlite3"
    contacts.refuse_steered(astdb)
    registered.list_registered(astdb)
    forwards.keep_newest(astdb)
    return _digest(files)


def digest(
    config: EngineConfiguration, overlay: str | None = None, more: dict[str, str] | None = None
) -> str:
    """What ``write`` would return for this configuration."""
    return _digest(_files(config, overlay, more))


def _files(
    config: EngineConfiguration, overlay: str | None, more: dict[str, str] | None
) -> dict[str, str]:
    values = {**_values(config), **(more or {})}
    return {
        name: _PLACEHOLDER.sub(lambda match: values[match[1]], template)
        for name, template in sorted(_templates(config, overlay).items())
    }


def _digest(files: dict[str, str]) -> str:
    return hashlib.sha256("\0".join([*files, *files.values()]).encode()).hexdigest()


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only: most of these files hold a password."""
    aside = path.with_name(path.name + ".new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    aside.replace(path)


def _templates(config: EngineConfiguration, overlay: str | None) -> dict[str, str]:
    package = resources.files("trunkline.engine")
    names = ("etc", realtime.overlay(config.database), overlay)
    folders = [package / "dialplan", *(package / "config" / name for name in names if name)]
    return {
        file.name: file.read_text()
        for folder in folders
        for file in folder.iterdir()
        if file.name.endswith(".conf")
    }


def _check_paths(config: EngineConfiguration) -> None:
    for text in (config.realm, config.external):
        if found := _UNSAFE_PATH.search(text):
            raise ConfigurationError(
                f"{text!r} has {found[0]!r} in it, which no realm or address has"
            )
    paths = [config.home, config.run]
    paths += [config.database] if isinstance(config.database, Path) else []
    paths += [Path(file) for file in (config.tls_cert, config.tls_key, config.tls_ca) if file]
    for path in paths:
        if found := _UNSAFE_PATH.search(str(path)):
            raise ConfigurationError(
                f"{path} has {found[0]!r} in it, which the phone engine's files cannot hold: "
                "choose a data directory of letters, digits and . _ - + = : /"
            )


def _diallable() -> str:
    """What a phone may dial (POSIX): digits, ``*``, ``#``, ``+`` before them, and marks that are dropped."""
    marks = "[ ./()" + dropped_beyond_ascii()
    return f"^[]{marks}-]*[+]?[]{marks}-]*[0-9*#][]0-9*#{marks}-]*$"


def _values(config: EngineConfiguration) -> dict[str, str]:
    return {
        "ETC": str(config.etc),
        "HOME": str(config.home),
        "RUN": str(config.run),
        "SPOOL": str(config.spool),
        "PROMPTS": str(config.prompts),
        "DIALLABLE": _diallable(),
        "MODULES": str(config.modules),
        "SHARE": str(config.share),
        **_realtime(config),
        "SYSTEM": config.system,
        "ARI_PORT": str(config.ari_port),
        "ARI_PASSWORD": config.ari_password,
        "NOBODY": hashlib.sha256(f"nobody {config.ari_password}".encode()).hexdigest(),
        "AMI": "yes" if config.ami_port else "no",
        "AMI_PORT": str(config.ami_port),
        "AMI_PASSWORD": config.ami_password,
        "REALM": config.realm,
        "RTP_FIRST": str(config.rtp[0]),
        "RTP_LAST": str(config.rtp[1]),
        "ALL_LEGS": str(legs(*config.rtp).all),
        "ACCOUNT_LEGS": str(legs(*config.rtp).account),
        "DEVICE_LEGS": str(legs(*config.rtp).device),
        "SIP_BIND": _bind(config.sip),
        "EXTERNAL": _external(config.external),
        "TLS": _tls(config),
        "RING": str(config.ring_seconds),
        "MAX_CALL": str(config.max_call_seconds),
        "EVENT_LOG": str(event_log(config.home)),
        "KEEP_FREE_MB": str(config.keep_free_mb),
        "EXPECTED_MEDIA": "" if config.media_from_anywhere else "require = res_expected_media.so",
        "CAPTURE": _capture(config.capture),
        **_codecs(config.modules),
        "MORE_MODULES": "\n".join(f"load = {name}.so" for name in config.more_modules),
    }


def _codecs(modules: Path) -> dict[str, str]:
    opus = all((modules / name).is_file() for name in OPUS)
    return {
        "OPUS": "\n".join(f"load = {name}" for name in OPUS) if opus else "",
        "PHONES_VIEW": "tl_phones_opus" if opus else "tl_phones",
    }


def _realtime(config: EngineConfiguration) -> dict[str, str]:
    try:
        return realtime.placeholders(config.database)
    except RealtimeError as error:
        raise ConfigurationError(str(error)) from error


def _bind(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _capture(to: CaptureAddress | None) -> str:
    if to is None:
        return "enabled = no"
    return (
        f"enabled = yes\ncapture_address = 127.0.0.1:{to.port}\ncapture_password = {to.password}\n"
        "uuid_type = call-id"
    )


def _external(address: str) -> str:
    if not address:
        return ""
    return (
        f"external_media_address = {address}\nexternal_signaling_address = {address}\n"
        "local_net = 10.0.0.0/8\nlocal_net = 172.16.0.0/12\n"
        "local_net = 192.168.0.0/16\nlocal_net = 127.0.0.0/8"
    )


def _tls(config: EngineConfiguration) -> str:
    if config.tls is None:
        return ""
    return (
        f"[tls]\ntype = transport\nprotocol = tls\nbind = {_bind(config.tls)}\n"
        f"cert_file = {config.tls_cert}\npriv_key_file = {config.tls_key}\nmethod = tlsv1_2\n"
        "tcp_keepalive_enable = yes\ntcp_keepalive_idle_time = 30\n"
        "tcp_keepalive_interval_time = 10\ntcp_keepalive_probe_count = 3\n"
        + _trusted(config.tls_ca)
        + _external(config.external)
    )


def _trusted(more: str) -> str:
    """Whose certificates a carrier may have; a phone that has called us shows none."""
    folder = trusted.system_folder()
    lines = ["verify_server = yes"]
    lines += [f"ca_list_path = {folder}"] if folder else []
    lines += [f"ca_list_file = {more}"] if more else []
    return "\n".join(lines) + "\n"
