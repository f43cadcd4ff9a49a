"""Where the engine is reached: kept as long as its directory, and moved where a port is taken."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path

from trunkline.engine.config.credentials import credentials, with_free_port


def test_they_are_private_and_stay(tmp_path: Path) -> None:
    made = credentials(tmp_path)
    assert credentials(tmp_path) == made
    assert stat.S_IMODE((tmp_path / "ari.json").stat().st_mode) == 0o600
    assert made.port != made.ami_port
    assert made.password != made.ami_password
    assert min(len(made.password), len(made.ami_password)) >= 48
    assert made.password not in repr(made)
    assert made.ami_password not in repr(made)


def test_those_of_a_version_without_ami_get_what_they_lack(tmp_path: Path) -> None:
    old = {"port": 41000, "password": "old", "system": "tl1"}
    (tmp_path / "ari.json").write_text(json.dumps(old))
    made = credentials(tmp_path)
    assert (made.port, made.password, made.system) == (41000, "old", "tl1")
    assert made.ami_port
    assert credentials(tmp_path) == made


def test_a_port_that_somebody_took_is_given_up_and_the_other_stays(tmp_path: Path) -> None:
    made = credentials(tmp_path)
    with socket.create_server(("127.0.0.1", made.ami_port)):
        moved = with_free_port(tmp_path, made)
    assert (moved.port, moved.ami_password) == (made.port, made.ami_password)
    assert moved.ami_port not in (made.ami_port, made.port)
    assert credentials(tmp_path) == moved
