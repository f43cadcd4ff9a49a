"""The trunks' file: what a real Asterisk reads is what was stored, and nothing else is in it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from trunkline.engine.commands.control_socket import Control
from trunkline.engine.config import configuration, trunks
from trunkline.engine.config.configuration import TRUNKS_FILE, EngineConfiguration, write_private
from trunkline.engine.config.run_directory import run_directory
from trunkline.engine.config.trunks import probe
from trunkline.engine.install.choose import Installed
from trunkline.store.ports.database import TrunkLine
from trunkline.store.secrets import InstallationKey
from trunkline.store.sqlite import open_database

PASSWORDS = {
    "plain": "s3cret",
    "semicolon": "a;b;c",
    "comment": "a;--b--;c",
    "backslash": "a\\b",
    "escaped": "a\\;b",
    "ends": "ab\\",
    "brackets": "[endpoint]",
    "comma": "a,b",
    "equals": "=>x=y",
    "hash": "#include /etc/passwd",
    "dollars": "${SHELL(id)}",
    "quotes": "\"a\" 'b'",
    "percent": "%d%s@x",
    "accents": "mật-khẩu",
    "inner": "a  b",
}


def line(name: str, password: str | None = "pw", **more: Any) -> TrunkLine:
    values: dict[str, Any] = {
        "endpoint": f"trunk-{name}",
        "account_id": "a" * 32,
        "name": name,
        "host": "127.0.0.1",
        "port": 9,
        "transport": "udp",
        "auth_user": "me" if password is not None else None,
        "auth_password": password,
        "register": False,
        "match": ("127.0.0.1",),
    }
    return TrunkLine(**{**values, **more})


class Running:
    """An Asterisk that has read the file."""

    def __init__(self, installed: Installed, config: EngineConfiguration) -> None:
        self.run = config.run
        self._command = [*installed.command, "-C", str(config.etc / "asterisk.conf")]
        output = (config.home / "log" / "out").open("wb")
        self.process = subprocess.Popen(
            [*self._command, "-f"], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        output.close()

    def ask(self, command: str) -> str:
        """What its command line says; empty while it does not answer."""
        done = subprocess.run([*self._command, "-rx", command], capture_output=True, timeout=20)
        return done.stdout.decode(errors="replace") if done.returncode == 0 else ""

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def asterisk(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("trunks") / "engine"
    home.mkdir()
    open_database(home / "t.db", InstallationKey(b"k" * 32))
    config = EngineConfiguration(
        home=home,
        run=run_directory(home),
        modules=installed.modules,
        share=installed.share,
        database=home / "t.db",
        system="tl00000001",
        ari_port=0,
        ari_password="pw",
        sip=("127.0.0.1", 0),
        rtp=(10_000, 10_010),
        realm="trunkline",
    )
    configuration.write(config)
    lines = [line(name, password) for name, password in PASSWORDS.items()]
    lines += [line("open", None), line("registering", register=True)]
    write_private(config.etc / TRUNKS_FILE, trunks.configuration(lines, 1))
    running = Running(installed, config)
    try:
        deadline = time.monotonic() + 60
        while "trunk-registering" not in running.ask("pjsip show endpoints"):
            assert running.process.poll() is None, (home / "log" / "out").read_text()
            assert time.monotonic() < deadline, running.ask("core show version")
        yield running
    finally:
        running.stop()


@pytest.mark.parametrize("name", PASSWORDS)
def test_asterisk_reads_the_password_that_was_stored(name: str, asterisk: Running) -> None:
    shown = asterisk.ask(f"pjsip show auth trunk-{name}")
    assert re.findall(r"^ *password *: (.*)$", shown, re.M) == [PASSWORDS[name]]


def test_asterisk_has_these_trunks_and_no_other_object(asterisk: Running) -> None:
    expected = {f"trunk-{name}" for name in (*PASSWORDS, "open", "registering")}
    endpoints = asterisk.ask("pjsip show endpoints")
    assert set(re.findall(r"Endpoint: +(trunk-\S+)", endpoints)) == expected
    assert "endpoint]" not in asterisk.ask("pjsip show aors")


async def test_the_control_socket_tells_who_answers_options(asterisk: Running) -> None:
    control = Control(asterisk.run)
    async with asyncio.timeout(60):
        while (found := await control.contacts(probe("trunk-open"))) != [False]:
            assert found == [None]
    assert await control.contacts("trunk-open") == [None]  # it is not qualified
    assert await control.contacts("nobody") == []


async def test_the_control_socket_tells_the_registrations(asterisk: Running) -> None:
    assert (await Control(asterisk.run).registrations()).keys() == {"trunk-registering"}


async def test_many_may_ask_the_control_socket_at_once(asterisk: Running) -> None:
    asking = [Control(asterisk.run) for _ in range(20)]
    found = await asyncio.gather(*(one.contacts("trunk-open") for one in asking * 5))
    assert found == [[None]] * 100


# ---- What stands in the file ----------------------------------------------------------------------


def sections(text: str) -> list[tuple[str, list[str]]]:
    """The file as Asterisk cuts it: (section's name, its option names)."""
    found: list[tuple[str, list[str]]] = []
    for raw in re.split("[\\r\\n]", text):
        bare = raw.strip()
        if not bare or bare.startswith(";") or bare == trunks.NOBODY.strip():
            continue
        if bare.startswith("["):
            found.append((bare.strip("[]"), []))
        else:
            found[-1][1].append(bare.partition("=")[0].strip())
    return found


@pytest.mark.parametrize("password", PASSWORDS.values())
def test_no_password_adds_a_line_or_a_section(password: str) -> None:
    plain = trunks.configuration([line("t", "pw", register=True)], 15)
    odd = trunks.configuration([line("t", password, register=True)], 15)
    assert sections(odd) == sections(plain)


@pytest.mark.parametrize("field", ["auth_password", "auth_user", "host"])
@pytest.mark.parametrize("odd", ["x\n[evil]\ntype=endpoint", "x\rcontext = click"])
def test_line_breaks_never_get_into_the_file(field: str, odd: str) -> None:
    """They cannot be stored either (directory_rules.py); this is the second lock."""
    with pytest.raises(ValueError):
        trunks.configuration([msgspec.structs.replace(line("t"), **{field: odd})], 15)


def test_a_trunk_without_credentials_has_none() -> None:
    text = trunks.configuration([line("t", None, match=())], 15)
    assert "auth" not in {key for _, keys in sections(text) for key in keys}
    assert "match = 127.0.0.1" in text


def test_no_trunks_make_an_empty_file() -> None:
    assert sections(trunks.configuration([], 15)) == []


def test_a_trunk_is_known_by_address_only_and_transfers_nothing() -> None:
    text = trunks.configuration([line("t")], 15)
    assert "identify_by = ip\n" in text
    assert "allow_transfer = no\n" in text
    assert "context = from-trunk\n" in text


def test_nothing_secret_is_in_its_repr() -> None:
    assert "s3cret" not in repr(line("t", "s3cret"))
