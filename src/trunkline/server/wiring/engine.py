"""The engine's configuration from the settings, and which devices the engine is to know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from trunkline.engine.config import realtime
from trunkline.engine.config.configuration import CaptureAddress, EngineConfiguration
from trunkline.engine.config.credentials import Credentials
from trunkline.engine.config.realtime import PostgresqlViews
from trunkline.engine.config.run_directory import run_directory
from trunkline.engine.install.choose import Installed
from trunkline.engine.listen.sip_capture import MODULES
from trunkline.server.setting_forms import address, port_range
from trunkline.server.settings import Settings
from trunkline.store.ports.database import Directory
from trunkline.store.secrets import InstallationKey


def more_modules(settings: Settings) -> tuple[str, ...]:
    """The modules that these settings need, besides those that the engine always needs."""
    return realtime.MODULES if settings.database else ()


def views_in_postgresql(url: str, key: InstallationKey) -> PostgresqlViews:
    """The engine's access to a migrated database: a role that may read its views and nothing else.

    Makes the role, or brings it up to date, and tries it. Blocks. Raises DatabaseUnavailable, and
    DatabaseUnusable with what an administrator has to do.
    """
    # psycopg is not imported where SQLite is the database.
    from trunkline.store.postgres.asterisk_role import asterisk_reads

    found = asterisk_reads(url, key)
    return PostgresqlViews(
        host=found.host,
        port=found.port,
        name=found.database,
        user=found.role,
        password=found.password,
        options=found.options,
    )


def engine_configuration(
    settings: Settings,
    installed: Installed,
    home: Path,
    credentials: Credentials,
    views: PostgresqlViews | None = None,
    capture: CaptureAddress | None = None,
) -> EngineConfiguration:
    """What the engine's files are written from; raises SettingsError.

    Devices and routes come from ``views`` or, without them, from the SQLite file. The engine sends SIP
    messages to ``capture``, if there is one.
    """
    return EngineConfiguration(
        home=home,
        run=run_directory(home),
        modules=installed.modules,
        share=installed.share,
        database=views or settings.directory / "trunkline.db",
        system=credentials.system,
        ari_port=credentials.port,
        ari_password=credentials.password,
        ami_port=credentials.ami_port,
        ami_password=credentials.ami_password,
        sip=address(settings.sip, "sip"),
        rtp=port_range(settings.rtp, "rtp"),
        realm=settings.sip_realm,
        external=settings.sip_external,
        tls=address(settings.sip_tls, "sip_tls") if settings.sip_tls else None,
        tls_cert=settings.sip_tls_cert,
        tls_key=settings.sip_tls_key,
        tls_ca=settings.sip_tls_ca,
        ring_seconds=settings.ring_seconds,
        max_call_seconds=settings.max_call_seconds,
        keep_free_mb=settings.keep_free_mb,
        media_from_anywhere=settings.media_from_anywhere,
        more_modules=MODULES if capture else (),
        capture=capture,
    )


def may_stay(directory: Directory) -> Callable[[str, bool], Awaitable[bool]]:
    """Tells whether a contact may stay: it is an enabled device's, which came over TLS if it has to."""

    async def stays(name: str, secure: bool) -> bool:
        owner = await directory.endpoint_owner(name)
        if owner is None or (owner.srtp == "required" and not secure):
            return False
        return await directory.device(owner.account_id, name) is not None

    return stays
