"""trunkline engine and trunkline doctor, as a person or a program runs them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from trunkline.cli import app
from trunkline.cli.server import engine
from trunkline.server.server_file import write_server_file
from trunkline.store.secrets import open_key

ENGINE = {"version": "22.10.1", "origin": "given"}


def trunkline(
    *words: str, cache: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TRUNKLINE_")}
    return subprocess.run(
        [sys.executable, "-c", "from trunkline.cli import main; main()", *words],
        capture_output=True,
        text=True,
        env={**clean, "XDG_CACHE_HOME": str(cache), **(env or {})},
    )


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """What looks like an Asterisk of use."""
    from trunkline.engine.install.choose import NEEDED

    root = tmp_path / "prefix"
    modules = root / "usr/lib/asterisk/modules"
    modules.mkdir(parents=True)
    (root / "usr/share/asterisk").mkdir(parents=True)
    (root / "usr/sbin").mkdir()
    for name in NEEDED:
        (modules / name).write_text("0123456789abcdef0123456789abcdef")  # its build
    (root / "usr/include/asterisk").mkdir(parents=True)
    (root / "usr/include/asterisk/buildopts.h").write_text(
        '#define AST_BUILDOPT_SUM "0123456789abcdef0123456789abcdef"\n'
    )
    program = root / "usr/sbin/asterisk"
    program.write_text("#!/bin/sh\necho Asterisk 22.10.1\n")
    program.chmod(0o755)
    return root


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def settings(prefix: Path, **more: str) -> dict[str, str]:
    return {
        "TRUNKLINE_ENGINE_PREFIX": str(prefix),
        "TRUNKLINE_HTTP": f"127.0.0.1:{free_port()}",
        "TRUNKLINE_SIP": f"127.0.0.1:{free_port()}",
        "TRUNKLINE_RTP": "21000-21100",
        **more,
    }


def test_status_tells_what_would_run(tmp_path: Path, prefix: Path) -> None:
    done = trunkline(
        "--data", str(tmp_path / "d"), "engine", "status", "--json",
        cache=tmp_path / "c", env=settings(prefix),
    )  # fmt: skip
    said: dict[str, Any] = json.loads(done.stdout)
    assert said.items() >= {**ENGINE, "installed": True, "pid": None, "cacheBytes": 0}.items()
    assert done.returncode == 0


def test_an_install_that_is_not_needed_fetches_nothing(tmp_path: Path, prefix: Path) -> None:
    """But for the recorder, which is compiled for it; here by a compiler that only makes its file."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "cc").write_text('#!/bin/sh\nfor last; do :; done\necho module > "$last"\n')
    (tools / "cc").chmod(0o755)
    env = settings(prefix, PATH=f"{tools}:{os.environ['PATH']}")
    done = trunkline("engine", "install", "--json", cache=tmp_path / "c", env=env)
    assert json.loads(done.stdout).items() >= ENGINE.items()
    assert {each.name for each in (tmp_path / "c/trunkline/engine").iterdir()} == {
        "lock",
        "modules",
    }


def test_an_install_that_fails_says_so_in_one_line(tmp_path: Path) -> None:
    words = ["engine", "install", "--upgrade", "--mirror", "nonsense", "--json"]
    done = trunkline(*words, cache=tmp_path / "c")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("error: engine_mirror: 'nonsense' is not")


def test_a_prefix_of_no_use_is_an_error(tmp_path: Path) -> None:
    for command in ("status", "install"):
        done = trunkline("engine", command, cache=tmp_path / "c", env=settings(tmp_path))
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert done.stderr.startswith("error: engine_prefix: ")


def test_with_postgresql_it_must_be_able_to_read_from_there(tmp_path: Path, prefix: Path) -> None:
    env = settings(prefix, TRUNKLINE_DATABASE="postgresql://u:hush-hush@127.0.0.1:1/n")
    for command in ("status", "install"):
        done = trunkline("engine", command, cache=tmp_path / "c", env=env)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "res_config_pgsql.so" in done.stderr
    for name in ("res_config_pgsql.so", "res_sorcery_memory_cache.so"):
        (prefix / "usr/lib/asterisk/modules" / name).touch()
    done = trunkline("engine", "status", "--json", cache=tmp_path / "c", env=env)
    assert (done.returncode, json.loads(done.stdout)["installed"]) == (0, True)


def test_nothing_to_remove_is_no_error(tmp_path: Path) -> None:
    done = trunkline("engine", "remove", "--json", cache=tmp_path / "c")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"freedBytes": 0})


def test_the_doctor_finds_a_fresh_machine_well(tmp_path: Path, prefix: Path) -> None:
    words = ["--data", str(tmp_path / "d"), "doctor"]
    done = trunkline(*words, "--json", cache=tmp_path / "c", env=settings(prefix))
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    wrong = [name for name, finding in findings.items() if finding["ok"] is False]
    assert set(wrong) <= {"clock", "disk"}
    assert {"engine", "sip port", "http port", "rtp ports", "key file", "certificate"} <= set(
        findings
    )
    assert done.returncode == bool(wrong)
    assert not (tmp_path / "d").exists()


def test_the_doctor_says_how_to_mend_and_fails(tmp_path: Path, prefix: Path) -> None:
    data = tmp_path / "d"
    data.mkdir()
    data.chmod(0o755)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        taken = f"127.0.0.1:{held.getsockname()[1]}"
        env = settings(prefix, TRUNKLINE_HTTP=taken)
        done = trunkline("--data", str(data), "doctor", cache=tmp_path / "c", env=env)
    assert done.returncode == 1
    assert f"-> chmod 700 {data}" in done.stdout
    assert "-> end the program that has it, or set another address for http" in done.stdout


def test_the_doctor_asks_the_running_server(tmp_path: Path, prefix: Path) -> None:
    data = tmp_path / "d"
    data.mkdir(mode=0o700)
    nobody = {"url": f"http://127.0.0.1:{free_port()}", "token": "t", "pid": os.getpid()}
    (data / "server.json").write_text(json.dumps(nobody))
    words = ["--data", str(data), "doctor", "--json"]
    done = trunkline(*words, cache=tmp_path / "c", env=settings(prefix))
    server = next(f for f in json.loads(done.stdout) if f["name"] == "server")
    assert (server["ok"], "does not answer" in server["detail"]) == (False, True)


def test_the_doctor_looks_where_the_running_server_listens(tmp_path: Path, prefix: Path) -> None:
    """Its flags may have set other ports than the settings have."""
    key = open_key(tmp_path / "secret.key")
    sip = f"127.0.0.1:{free_port()}"
    write_server_file(tmp_path, "http://127.0.0.1:1", key, {"sip": sip, "rtp": "42000-42009"})
    words = ["--data", str(tmp_path), "doctor", "--json"]
    done = trunkline(*words, cache=tmp_path / "c", env=settings(prefix))
    details = {finding["name"]: finding["detail"] for finding in json.loads(done.stdout)}
    assert details["sip port"].startswith(f"{sip} ")
    assert details["rtp ports"].startswith("10 ports")


def test_what_the_bill_of_materials_needs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["engine", "sbom"])
    assert done.exit_code == 1
    assert "make sbom" in done.stderr
