"""The engine's configuration as the settings want it, and which devices it is to know."""

from __future__ import annotations

from pathlib import Path

from trunkline.db.port import Directory
from trunkline.engine.configuration import EngineConfiguration
from trunkline.engine.credentials import Credentials
from trunkline.engine.install import Installed
from trunkline.engine.run_directory import run_directory
from trunkline.settings import Settings, address, port_range


def engine_configuration(
    settings: Settings, installed: Installed, home: Path, credentials: Credentials
) -> EngineConfiguration:
    """What the engine's files are written from; raises SettingsError."""
    return EngineConfiguration(
        home=home,
        run=run_directory(home),
        modules=installed.modules,
        share=installed.share,
        database=settings.directory / "trunkline.db",
        system=credentials.system,
        ari_port=credentials.port,
        ari_password=credentials.password,
        sip=address(settings.sip, "sip"),
        rtp=port_range(settings.rtp, "rtp"),
        realm=settings.sip_realm,
        external=settings.sip_external,
        tls=address(settings.sip_tls, "sip_tls") if settings.sip_tls else None,
        tls_cert=settings.sip_tls_cert,
        tls_key=settings.sip_tls_key,
        ring_seconds=settings.ring_seconds,
        max_call_seconds=settings.max_call_seconds,
    )


class EnabledDevices:
    """The SIP user names of enabled devices, asked one at a time."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def __contains__(self, name: object) -> bool:
        owner = self._directory.endpoint_owner(str(name))
        return owner is not None and (
            self._directory.device(owner.account_id, str(name)) is not None
        )
