"""The sandbox's engine: a second Asterisk that plays the carrier and the phones."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import httpx
import msgspec
import structlog

from trunkline.engine.config import configuration, sandbox_phones
from trunkline.engine.config.configuration import EngineConfiguration, write_private
from trunkline.engine.config.credentials import credentials, with_free_port
from trunkline.engine.install.choose import Installed
from trunkline.engine.process.supervisor import Supervisor, run_directory
from trunkline.sandbox.prepare import Sandbox, prepare_sandbox
from trunkline.server.main_server import MainServer
from trunkline.server.setting_forms import address, port_range
from trunkline.server.settings import Settings
from trunkline.store.directory import ManagedDirectory
from trunkline.store.secrets import InstallationKey

log = structlog.get_logger()

_HOST = "127.0.0.1"
_PHONES_SECONDS = 20.0


def sandbox_file(data: Path) -> Path:
    return data / "sandbox" / "sandbox.json"


def read_sandbox(data: Path) -> Sandbox | None:
    """The sandbox's credentials; None if there was never a sandbox."""
    try:
        return msgspec.json.decode(sandbox_file(data).read_bytes(), type=Sandbox)
    except FileNotFoundError:
        return None


class SandboxEngine:
    def __init__(
        self, settings: Settings, installed: Installed, key: InstallationKey, server: MainServer
    ) -> None:
        self._settings, self._installed, self._key = settings, installed, key
        self._server = server
        self._data = settings.directory
        self._home = self._data / "sandbox"
        self._credentials = credentials(self._home)
        self._port = self._kept_port()
        self._sandbox: Sandbox | None = None
        self._supervisor = Supervisor(
            installed, self._home, self._configure, self._died, self._answers, "sandbox"
        )

    async def start(self) -> None:
        """Make its account, start it, and wait until its phones have registered."""
        self._sandbox = await asyncio.to_thread(self._prepare)
        await self._server.sync()
        await self._supervisor.start()
        await self._phones_online(self._sandbox)
        log.info("sandbox.ready", account_id=self._sandbox.account_id)

    async def stop(self) -> None:
        await self._supervisor.stop(1)

    def _prepare(self) -> Sandbox:
        file = ManagedDirectory(self._settings.place, self._key)
        with file.transaction() as directory:
            made = prepare_sandbox(
                directory,
                read_sandbox(self._data),
                f"{_HOST}:{self._port}",
                self._settings.sip_realm,
            )
            # This comes before the commit: a kill in between costs the account, not its credentials.
            write_private(sandbox_file(self._data), msgspec.json.encode(made).decode())
        return made

    async def _configure(self) -> None:
        assert self._sandbox is not None
        self._credentials = with_free_port(self._home, self._credentials)
        more = sandbox_phones.placeholders(self._switch(), self._sandbox.phones)
        configuration.write(self._configuration(), sandbox_phones.OVERLAY, more)

    def _configuration(self) -> EngineConfiguration:
        return EngineConfiguration(
            home=self._home,
            run=run_directory(self._home),
            modules=self._installed.modules,
            share=self._installed.share,
            database=self._data / "trunkline.db",
            system=self._credentials.system,
            ari_port=self._credentials.port,
            ari_password=self._credentials.password,
            sip=(_HOST, self._port),
            rtp=port_range(self._settings.rtp, "rtp"),
            realm=self._settings.sip_realm,
            more_modules=sandbox_phones.MODULES,
        )

    def _switch(self) -> tuple[str, int]:
        """Where Trunkline's own SIP is, seen from here."""
        host, port = address(self._settings.sip, "sip")
        return (_HOST if host in ("0.0.0.0", "::") else host), port  # noqa: S104 - only compared

    def _kept_port(self) -> int:
        """The SIP port of the last run if it is free, or if our engine has it; else a new one."""
        file = self._home / "sip_port"
        if file.exists() and (_free(port := int(file.read_text())) or self._engine_lives()):
            return port
        port = _free_port()
        write_private(file, str(port))
        return port

    def _engine_lives(self) -> bool:
        return (self._home / "engine.pid").exists()

    async def _died(self, last_sign_of_life: float) -> None:
        log.info("sandbox.engine_ended", at=last_sign_of_life)

    async def _answers(self) -> None:
        url = f"http://127.0.0.1:{self._credentials.port}/ari/asterisk/ping"
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(url, auth=("trunkline", self._credentials.password))
            answer.raise_for_status()

    async def _phones_online(self, sandbox: Sandbox) -> None:
        try:
            async with asyncio.timeout(_PHONES_SECONDS):
                while not all(self._server.engine.online(phone) for phone in sandbox.phones):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log.warning("sandbox.phones_offline", mend="see sandbox/log in the data directory")


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
