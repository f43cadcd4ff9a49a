"""Settings: a file, the environment and flags, in that order; the only reader of all three.

``trunkline.toml`` in the data directory, then ``TRUNKLINE_<NAME>`` in the environment, then the
command line's flags: the last one that speaks wins. Every field below is a setting, and its
docstring is its documentation (``docs/reference/settings.md`` is made from it, and a test
compares the two).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from trunkline.server.setting_forms import (
    SettingsError,
    address,
    check_database,
    check_main_url,
    check_rate,
    host_names,
    networks,
    pauses,
    port_range,
)


def _default_data() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "trunkline"


def default_cache() -> Path:
    """Where fetched engines are kept: ``$XDG_CACHE_HOME/trunkline``."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "trunkline"


def default_config() -> Path:
    """Where the command line keeps what is its user's: ``$XDG_CONFIG_HOME/trunkline``."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "trunkline"


Seconds = Annotated[int, msgspec.Meta(ge=1, le=86_400)]
_D = msgspec.Meta


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that can be set. Addresses are ``HOST:PORT``; an IPv6 host stands in brackets."""

    data: Annotated[
        str, _D(description="The data directory: database, keys, recordings, engine files.")
    ] = ""
    database: Annotated[
        str,
        _D(
            description="Where everything is kept: a PostgreSQL database, as postgresql://USER:PASSWORD@HOST/NAME; empty for a SQLite file in the data directory. It holds a password: rather set it in trunkline.toml or in the environment than on a command line."
        ),
    ] = ""
    http: Annotated[str, _D(description="Where the Open API and the event socket listen.")] = (
        "127.0.0.1:8080"
    )
    sip: Annotated[
        str, _D(description="Where phones and trunks reach the engine over UDP and TCP.")
    ] = "0.0.0.0:5060"
    sip_external: Annotated[
        str,
        _D(description="The public address to put in SIP and SDP when behind NAT; empty for none."),
    ] = ""
    sip_tls: Annotated[
        str,
        _D(
            description="Where phones and carriers reach the engine over TLS; empty switches it off, for trunks, too. Needs sip_tls_cert and sip_tls_key."
        ),
    ] = ""
    sip_tls_cert: Annotated[str, _D(description="PEM file with the TLS certificate chain.")] = ""
    sip_tls_key: Annotated[str, _D(description="PEM file with the TLS private key.")] = ""
    sip_tls_ca: Annotated[
        str,
        _D(
            description="PEM file with certificates to trust besides those that the machine trusts: a carrier's own authority, or its self-signed certificate. A trunk over TLS talks to nobody else."
        ),
    ] = ""
    sip_realm: Annotated[
        str,
        _D(
            description="The realm of SIP passwords. Changing it makes every stored SIP password useless."
        ),
    ] = "trunkline"
    rtp: Annotated[str, _D(description="UDP ports for audio, FROM-TO.")] = "10000-20000"
    main_url: Annotated[
        str,
        _D(
            description="For trunkline api on another machine: where the main server, trunkline up, answers, such as http://10.0.0.5:8080; empty finds the one on the same data directory."
        ),
    ] = ""
    public_url: Annotated[
        str,
        _D(
            description="What links in answers start with, such as https://phone.example.com; empty takes the request's own host."
        ),
    ] = ""
    forwarded_allow_ips: Annotated[
        str,
        _D(
            description="Proxies whose X-Forwarded-For and -Proto are believed, comma-separated addresses."
        ),
    ] = "127.0.0.1"
    connections_per_address: Annotated[
        int,
        _D(
            ge=0,
            description="HTTP connections that one address (an IPv6 /64, or whom a trusted proxy forwards for) may have open without being signed in at an event socket or stream; the next takes the place of the one that has been silent longest, or gets a 429. 0: any number; for a balancer that does not say whom it forwards for.",
        ),
    ] = 1_000
    request_seconds: Annotated[
        int,
        _D(
            ge=1,
            le=3600,
            description="How long a client may take for a whole request, from connecting or its first byte on; a body has a second more for each 4 KiB that have come.",
        ),
    ] = 10
    keep_alive_seconds: Annotated[
        int,
        _D(
            ge=1,
            le=3600,
            description="How long a connection may be idle between two requests: longer than a proxy before us keeps it.",
        ),
    ] = 75
    allowed_hosts: Annotated[
        str,
        _D(
            description="Names and addresses that requests may call us by (their Host), comma-separated, such as phone.example.com or *.example.com; all others get a 400. The hosts of http and public_url, and this machine's localhost, are always among them. Empty: any."
        ),
    ] = ""
    cors_origins: Annotated[
        str,
        _D(
            description="Origins whose pages may use the event socket and the API, comma-separated; * for any."
        ),
    ] = "*"
    token_seconds: Annotated[
        Seconds, _D(description="How long an event-socket token is valid.")
    ] = 3600
    recording_url_seconds: Annotated[
        Seconds, _D(description="How long a recording's URL is valid.")
    ] = 300
    device_ring_seconds: Annotated[
        Seconds,
        _D(description="Click-to-call: how long the device rings before the call is given up."),
    ] = 30
    ring_seconds: Annotated[
        Seconds, _D(description="How long the called party rings before the call is given up.")
    ] = 60
    max_call_seconds: Annotated[Seconds, _D(description="A call that lasts longer is ended.")] = (
        14_400
    )
    media_timeout_seconds: Annotated[
        int,
        _D(
            ge=0,
            le=86_400,
            description="A leg that is not on hold, and from which neither audio nor RTCP has come for so long, is hung up (MEDIA_TIMEOUT); 0 switches that off. Phones that send only RTCP do so every few seconds: take no less than 20.",
        ),
    ] = 60
    keep_free_mb: Annotated[
        int,
        _D(
            ge=1,
            le=1_000_000,
            description="New calls are refused (503) while the disk of the data directory has less room than so many megabytes, since their records could not be written; calls that are up go on, and end on the record.",
        ),
    ] = 8
    media_from_anywhere: Annotated[
        bool,
        _D(
            description="Whether a phone's audio may come from other addresses than the one that it names in SDP and the one that its SIP comes from. Only for phones behind a NAT that changes its own address between the two: until such a phone speaks, anybody may be taken for it."
        ),
    ] = False
    quality_mos: Annotated[
        float,
        _D(
            ge=0,
            le=4.5,
            description="CALL_QUALITY is told of a leg whose MOS is below that, in either direction; 0: of none.",
        ),
    ] = 3.6
    quality_loss_percent: Annotated[
        float,
        _D(
            ge=0,
            le=100,
            description="The same of a leg that lost more of its packets; 0: of none.",
        ),
    ] = 5.0
    quality_jitter_ms: Annotated[
        float,
        _D(
            ge=0,
            le=10_000,
            description="The same of a leg whose mean jitter is above so many milliseconds; 0: of none.",
        ),
    ] = 30.0
    drain_seconds: Annotated[
        int,
        _D(
            ge=0,
            le=86_400,
            description="After SIGTERM: how long live calls may go on before they are ended.",
        ),
    ] = 30
    call_rate: Annotated[
        str, _D(description="Click-to-calls an app may ask for; more are RATE_LIMITED.")
    ] = "20/second"
    request_rate: Annotated[
        str, _D(description="Other requests an app may make; more are RATE_LIMITED.")
    ] = "500/second"
    v1_request_rate: Annotated[
        str, _D(description="Requests a key of /v1 may make; more are rate_limited.")
    ] = "100/second"
    auth_failures: Annotated[
        str,
        _D(
            description="Wrong hashes one address may send for one app, and wrong SIP passwords one app may send for one device, before they are refused unread; and wrong keys of /v1 that one address may send before it is told to wait."
        ),
    ] = "20/minute"
    trunk_qualify_seconds: Annotated[
        int,
        _D(
            ge=1,
            le=3600,
            description="How often a trunk's carrier is asked by OPTIONS whether it is there; three seconds without an answer make the trunk TRUNK_DOWN.",
        ),
    ] = 15
    webhook_allow: Annotated[
        str,
        _D(
            description="Networks that webhooks may go to though they are not public, comma-separated, such as 10.1.0.0/16; plain http reaches only these. A cloud's metadata address has to be listed by itself."
        ),
    ] = ""
    webhook_timeout_seconds: Annotated[
        int,
        _D(ge=1, le=120, description="How long a webhook's receiver has for its whole answer."),
    ] = 15
    webhook_retry_seconds: Annotated[
        str,
        _D(
            description="The pauses between the attempts at a webhook, comma-separated; each is up to a tenth shorter or longer."
        ),
    ] = "5,300,1800,7200,18000,36000,50400,72000,86400"
    webhook_suspend_days: Annotated[
        int,
        _D(
            ge=1,
            le=365,
            description="A webhook at which every attempt has failed for so many days is suspended.",
        ),
    ] = 5
    webhook_connections: Annotated[
        int, _D(ge=1, le=1000, description="How many webhooks may be under way at a time, in all.")
    ] = 64
    webhook_endpoint_connections: Annotated[
        int, _D(ge=1, le=100, description="The same, to one endpoint.")
    ] = 8
    call_days: Annotated[
        int,
        _D(
            ge=0,
            le=36_500,
            description="How many days calls are kept, with all that belongs to them; 0 keeps them for good. An account may have its own limits: trunkline account keep.",
        ),
    ] = 0
    recording_days: Annotated[
        int,
        _D(
            ge=0,
            le=36_500,
            description="How many days recordings are kept; 0 keeps each as long as its call's record, with which it goes in any case.",
        ),
    ] = 0
    event_days: Annotated[
        int, _D(ge=1, le=3650, description="How many days events are kept for replay.")
    ] = 31
    journal_days: Annotated[
        int,
        _D(ge=1, le=3650, description="How many days the facts behind finished calls are kept."),
    ] = 31
    sip_trace: Annotated[
        bool,
        _D(
            description="Keep the SIP messages of calls, for whoever looks for a fault: trunkline calls show prints them."
        ),
    ] = True
    sip_trace_days: Annotated[
        int, _D(ge=1, le=3650, description="How many days SIP messages of calls are kept.")
    ] = 7
    event_sign_in_seconds: Annotated[
        Seconds,
        _D(
            description="How long an event socket may be open without a subscription that showed a good token; then it is closed (4001)."
        ),
    ] = 60
    event_connections_per_app: Annotated[
        int,
        _D(
            ge=1,
            description="Event connections of one app at a time; the next is closed (4029).",
        ),
    ] = 10_000
    event_streams_per_key: Annotated[
        int,
        _D(
            ge=1,
            description="Streams of server-sent events of one key of /v1 at a time; the next is refused.",
        ),
    ] = 1_000
    event_connections_per_address: Annotated[
        int,
        _D(
            ge=0,
            description="Event connections and streams that one address may have signed in, of whatever apps and keys; the next is closed (4029) or refused. 0: any number.",
        ),
    ] = 10_000
    event_subscriptions_per_app: Annotated[
        int,
        _D(ge=1, description="Bindings of one app on all its event connections; more are refused."),
    ] = 100_000
    event_commands_per_second: Annotated[
        int,
        _D(
            ge=1,
            description="Messages that one app may send on all its event connections within a second; more are answered with an error.",
        ),
    ] = 200
    engine_prefix: Annotated[
        str,
        _D(description="Use the Asterisk unpacked in this directory; empty finds or fetches one."),
    ] = ""
    engine_mirror: Annotated[
        str,
        _D(
            description="The Debian mirror to fetch the engine from; empty takes the machine's own."
        ),
    ] = ""
    engine_suite: Annotated[str, _D(description="The Debian suite to fetch the engine from.")] = (
        "sid"
    )
    engine_stale_index: Annotated[
        Literal["warn", "refuse"],
        _D(
            description="What to do when the mirror's signed index is past its date: warn and go on, or refuse."
        ),
    ] = "warn"
    log_format: Annotated[
        Literal["auto", "console", "json"],
        _D(description="How to log; auto is console on a terminal and JSON elsewhere."),
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        _D(description="The least severe messages to log."),
    ] = "info"
    docs: Annotated[bool, _D(description="Serve the API's documents and their page at /docs.")] = (
        True
    )
    metrics: Annotated[bool, _D(description="Serve Prometheus metrics at /metrics.")] = True
    sandbox: Annotated[
        bool, _D(description="Start the sandbox too: virtual phones and a pretend carrier.")
    ] = False

    def __repr__(self) -> str:
        """Without the settings: one of them holds a password."""
        return f"Settings(data={self.data!r})"

    @property
    def place(self) -> Path | str:
        """The database: a SQLite file's path, or PostgreSQL's URL (``store.location.Location``)."""
        return self.database or self.directory / "trunkline.db"

    @property
    def directory(self) -> Path:
        return Path(self.data).expanduser().absolute() if self.data else _default_data()


def sip_tcp_ports(settings: Settings) -> list[int]:
    """Where the engine takes SIP over TCP and TLS."""
    named = (("sip", settings.sip), ("sip_tls", settings.sip_tls))
    return [address(text, name)[1] for name, text in named if text]


def load(flags: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """Join file, environment and flags (None means not given); raises SettingsError."""
    given = {name: value for name, value in flags.items() if value is not None}
    names = {field.name for field in msgspec.structs.fields(Settings)}
    env = {name: environ[key] for name in names if (key := f"TRUNKLINE_{name.upper()}") in environ}
    data = given.get("data") or env.get("data") or ""
    file = (Path(data).expanduser() if data else _default_data()) / "trunkline.toml"
    joined = {**_read_file(file), **env, **given}
    if data or "data" not in joined:
        joined["data"] = str(data or _default_data())
    return _checked(joined, file)


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from error


def _checked(joined: dict[str, Any], file: Path) -> Settings:
    try:
        settings = msgspec.convert(joined, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{error} (from {file}, TRUNKLINE_… or a flag)") from error
    if settings.database:
        check_database(settings.database)
    address(settings.http, "http")
    if settings.main_url:
        check_main_url(settings.main_url)
    address(settings.sip, "sip")
    port_range(settings.rtp, "rtp")
    for name in ("call_rate", "request_rate", "v1_request_rate", "auth_failures"):
        if name in joined:
            check_rate(name, getattr(settings, name))
    if 0 < settings.call_days < settings.recording_days:
        raise SettingsError(
            f"recording_days: a recording goes with its call's record, after {settings.call_days} days "
            "(call_days): take at most that, or 0"
        )
    host_names(settings.allowed_hosts, "allowed_hosts")
    networks(settings.webhook_allow, "webhook_allow")
    pauses(settings.webhook_retry_seconds, "webhook_retry_seconds")
    if settings.sip_tls:
        address(settings.sip_tls, "sip_tls")
        if not (settings.sip_tls_cert and settings.sip_tls_key):
            raise SettingsError("sip_tls needs sip_tls_cert and sip_tls_key, two PEM files")
    return settings
