"""The engine's configuration: safe, private, whole, and told apart by its digest."""

from __future__ import annotations

import re
import stat
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trunkline.engine.config import configuration
from trunkline.engine.config.configuration import (
    TRUNKS_FILE,
    CaptureAddress,
    ConfigurationError,
    EngineConfiguration,
)
from trunkline.engine.config.trunks import NOBODY
from trunkline.engine.install.choose import Installed

TEMPLATES = resources.files("trunkline.engine") / "config/etc"


def config(home: Path, **more: Any) -> EngineConfiguration:
    values: dict[str, Any] = {
        "home": home,
        "run": home / "run",
        "modules": Path("/usr/lib/asterisk/modules"),
        "share": Path("/usr/share/asterisk"),
        "database": home / "trunkline.db",
        "system": "tl00000001",
        "ari_port": 8088,
        "ari_password": "s3cret",
        "sip": ("127.0.0.1", 5060),
        "rtp": (10_000, 20_000),
        "realm": "trunkline",
    }
    return EngineConfiguration(**{**values, **more})


def texts(made: EngineConfiguration) -> dict[str, str]:
    configuration.write(made)
    return {file.name: file.read_text() for file in made.etc.iterdir()}


# ---- Paths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd", ["a b", "a;b", "a'b", 'a"b', "a\nb", "a\\b", "a$b", "a,b", "a|b", "ä", "a#b", "a(b"]
)
@pytest.mark.parametrize("field", ["home", "run", "database"])
def test_a_path_that_asterisks_syntax_cannot_hold_is_refused(odd, field, tmp_path) -> None:
    made = msgspec.structs.replace(config(tmp_path / "engine"), **{field: tmp_path / odd})
    with pytest.raises(ConfigurationError, match="choose a data directory"):
        configuration.write(made)
    assert not (tmp_path / odd).exists()


def test_a_plain_path_is_fine(tmp_path: Path) -> None:
    home = tmp_path / "Data-1_2.3+4=5:6"
    configuration.write(config(home))
    assert (home / "etc" / "asterisk.conf").exists()


# ---- What is written -----------------------------------------------------------------------------


def test_every_template_is_filled_in(tmp_path: Path) -> None:
    made = texts(config(tmp_path))
    assert {name: re.findall(r"@[A-Z_]+@", text) for name, text in made.items()} == {
        name: [] for name in made
    }
    assert {file.name for file in TEMPLATES.iterdir()} <= set(made)


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    made = config(tmp_path)
    configuration.write(made)
    assert {stat.S_IMODE(file.stat().st_mode) for file in made.etc.iterdir()} == {0o600}


def test_no_half_written_file_is_left(tmp_path: Path) -> None:
    made = texts(config(tmp_path))
    assert [name for name in made if name.endswith(".new")] == []


def test_the_trunks_file_is_left_as_it_is(tmp_path: Path) -> None:
    made = config(tmp_path)
    configuration.write(made)
    assert (made.etc / TRUNKS_FILE).read_text() == NOBODY
    (made.etc / TRUNKS_FILE).write_text("; a trunk\n")
    configuration.write(made)
    assert (made.etc / TRUNKS_FILE).read_text() == "; a trunk\n"


def test_ari_and_http_are_on_loopback(tmp_path: Path) -> None:
    made = texts(config(tmp_path))
    assert "bindaddr = 127.0.0.1" in made["http.conf"]
    assert "enabled = no" in made["manager.conf"]


def test_ami_is_on_loopback_with_the_least_rights(tmp_path: Path) -> None:
    made = texts(config(tmp_path, ami_port=5099, ami_password="s3cret-2"))["manager.conf"]
    said = dict(re.findall(r"^(\w+) =(?: (.*))?$", made, re.M))
    assert said == {
        "enabled": "yes",
        "webenabled": "no",
        "bindaddr": "127.0.0.1",
        "port": "5099",
        "authtimeout": "5",
        "displayconnects": "no",
        "secret": "s3cret-2",
        "deny": "0.0.0.0/0.0.0.0",
        "permit": "127.0.0.1/255.255.255.255",
        "read": "",
        "write": "call",
    }


def test_nothing_that_ami_could_reach_is_a_shell(tmp_path: Path) -> None:
    loads = loaded(config(tmp_path))
    assert not {"app_system.so", "res_agi.so", "func_shell.so"} & set(loads)


def test_nothing_unauthenticated_has_an_endpoint(tmp_path: Path) -> None:
    made = texts(config(tmp_path))
    assert "[anonymous]" not in made["pjsip.conf"]
    assert "type = endpoint" not in made["pjsip.conf"]
    nobody = made["pjsip_nobody.conf"]
    assert "auth = anonymous" in nobody
    assert "[nobody]" not in made["extensions.conf"]  # its context
    (password,) = re.findall(r"^password = (.+)$", nobody, re.M)
    assert len(password) == 64


def test_an_ipv6_address_stands_in_brackets(tmp_path: Path) -> None:
    assert "bind = [::1]:5060" in texts(config(tmp_path, sip=("::1", 5060)))["pjsip.conf"]


def test_tls_and_an_external_address_are_there_when_set(tmp_path: Path) -> None:
    made = config(
        tmp_path, tls=("0.0.0.0", 5061), tls_cert="/c.pem", tls_key="/k.pem", external="203.0.113.7"
    )
    text = texts(made)["pjsip.conf"]
    assert text.count("external_media_address = 203.0.113.7") == 3
    assert "cert_file = /c.pem" in text
    assert "verify_server = yes" in text
    assert "ca_list_file" not in text
    own = texts(msgspec.structs.replace(made, tls_ca="/ca.pem"))["pjsip.conf"]
    assert "ca_list_file = /ca.pem" in own
    assert "protocol = tls" not in texts(config(tmp_path / "plain"))["pjsip.conf"]


# ---- Modules -------------------------------------------------------------------------------------


def loaded(made: EngineConfiguration) -> list[str]:
    return re.findall(r"^(?:(?:pre)?load|require) = (\S+)", texts(made)["modules.conf"], re.M)


def test_every_module_exists_in_the_engine(tmp_path: Path, installed: Installed) -> None:
    names = loaded(config(tmp_path))
    assert len(names) > 50
    assert [name for name in names if not (installed.modules / name).is_file()] == []


def test_each_module_says_what_it_is_for() -> None:
    template = resources.files("trunkline.engine") / "config/etc/modules.conf"
    lines = re.findall(r"^load = .*$", template.read_text(), re.M)
    assert [line for line in lines if not re.fullmatch(r"load = \S+ ; .+|.*@.*", line)] == []


def test_opus_is_there_where_the_engine_has_it(tmp_path: Path, installed: Installed) -> None:
    with_it = texts(config(tmp_path, modules=installed.modules))
    assert "codec_opus_open_source.so" in with_it["modules.conf"]
    assert "trunkline,tl_phones_opus" in with_it["extconfig.conf"]
    without = config(tmp_path, modules=tmp_path)
    assert "opus" not in texts(without)["extconfig.conf"] + "".join(loaded(without))
    assert "codec_g722.so" in loaded(without)


def test_the_event_log_has_as_many_columns_as_the_reader_wants(tmp_path: Path) -> None:
    from trunkline.calls.cel import COLUMNS

    source = resources.files("trunkline.engine.recorder") / "cel_event_log.c"
    (fields,) = re.findall(r"^ \*   (EventType,.*)$", source.read_text(), re.M)
    assert len(fields.split(",")) == COLUMNS
    assert (
        f"file = {configuration.event_log(tmp_path)}"
        in texts(config(tmp_path))["cel_event_log.conf"]
    )


def test_every_application_and_function_of_the_dialplan_has_its_module(tmp_path: Path) -> None:
    made = config(tmp_path)
    text, names = "".join(texts(made).values()), loaded(made)
    for word, module in {
        "RecordLeg(": "app_record_leg.so",
        "LOG_ROOM(": "cel_event_log.so",
        "CELGenUserEvent(": "app_celgenuserevent.so",
        "ExecIf(": "app_exec.so",
        "REALTIME_HASH(": "func_realtime.so",
        "CALLERID(": "func_callerid.so",
        "TIMEOUT(": "func_timeout.so",
        "FILTER(": "func_strings.so",
        "IF(": "func_logic.so",
        "Dial(": "app_dial.so",
        "Gosub(": "app_stack.so",
        "Playback(": "app_playback.so",
        "ClearHash(": "func_strings.so",
        "CUT(": "func_cut.so",
        "SHARED(": "func_global.so",
        "HANGUPCAUSE(": "func_hangupcause.so",
        "PJSIP_HEADER(": "res_pjsip_header_funcs.so",
        "CHANNEL(": "func_channel.so",
        "REDIRECTING(": "func_callerid.so",
    }.items():
        assert word not in text or module in names


# ---- The digest ----------------------------------------------------------------------------------

CHANGES: dict[str, Any] = {
    "ari_port": 8089,
    "ari_password": "other",
    "ami_port": 8090,
    "ami_password": "another",
    "sip": ("127.0.0.2", 5060),
    "rtp": (10_000, 20_002),
    "realm": "elsewhere",
    "external": "203.0.113.7",
    "tls": ("127.0.0.1", 5061),
    "ring_seconds": 30,
    "max_call_seconds": 60,
    "keep_free_mb": 9,
    "media_from_anywhere": True,
    "more_modules": ("res_x",),
    "capture": CaptureAddress(9060, "s3cret"),
    "system": "tl00000002",
    "modules": Path("/m"),
    "share": Path("/s"),
}


@pytest.mark.parametrize("field", CHANGES)
def test_any_other_setting_gives_another_digest(field: str, tmp_path: Path) -> None:
    before, after = config(tmp_path), config(tmp_path, **{field: CHANGES[field]})
    assert configuration.digest(before) != configuration.digest(after)


def test_the_same_settings_give_the_same_digest(tmp_path: Path) -> None:
    made = config(tmp_path)
    assert configuration.write(made) == configuration.digest(made) == configuration.write(made)


def test_every_setting_is_covered_here() -> None:
    fields = {field.name for field in msgspec.structs.fields(EngineConfiguration)}
    assert fields - set(CHANGES) == {"home", "run", "database", "tls_cert", "tls_key", "tls_ca"}


def test_nothing_secret_is_in_its_repr(tmp_path: Path) -> None:
    assert "s3cret" not in repr(config(tmp_path))
