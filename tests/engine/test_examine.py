"""What the doctor sees, on real files and real sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from trunkline.engine.process import examine
from trunkline.engine.process.sip_connections import MANY, MOST, SipConnections

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["udp", "tcp"])
def taken(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """A port that this process holds."""
    kind = socket.SOCK_DGRAM if request.param == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as held:
        held.bind(("127.0.0.1", 0))
        if request.param == "tcp":
            held.listen()
        yield request.param, held.getsockname()[1]


def test_a_taken_port_is_wrong_unless_it_is_ours(taken: tuple[examine.ports.Kind, int]) -> None:
    kind, number = taken
    assert examine.port("sip", ("127.0.0.1", number), [kind], []).ok is False
    assert examine.port("sip", ("127.0.0.1", number), [kind], [os.getpid()]).ok is True


def test_an_address_that_is_not_this_machines_is_wrong() -> None:
    found = examine.port("http", ("192.0.2.1", 8080), ["tcp"], [])
    assert found.ok is False
    assert "http" in found.mend


def test_audio_ports_count_those_of_others() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        number = held.getsockname()[1]
        assert examine.rtp((number, number), []).ok is False
        assert examine.rtp((number, number), [os.getpid()]).ok is True


def test_disk_is_looked_at_where_the_data_directory_will_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert str(tmp_path) in examine.disk(tmp_path / "not" / "yet").detail
    monkeypatch.setattr(examine, "ROOM", 1 << 62)
    assert examine.disk(tmp_path).ok is False


def test_the_clock_is_right_wrong_or_unknown() -> None:
    assert examine.clock().ok in (True, False, None)


@pytest.mark.parametrize(("said", "ok"), [("yes", True), ("no", False)])
def test_the_clock_is_what_timedatectl_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, ok: bool
) -> None:
    program = tmp_path / "timedatectl"
    program.write_text(f"#!/bin/sh\necho {said}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert examine.clock().ok is ok


def certificate(folder: Path, first: datetime, last: datetime) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "phone.example.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(first)
        .not_valid_after(last)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir()
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return cert_file, key_file


@pytest.mark.parametrize(
    ("from_day", "to_day", "ok"), [(-1, 90, True), (-1, 7, False), (-9, -1, False), (1, 90, False)]
)
def test_a_certificate_must_be_in_date_for_a_while(
    tmp_path: Path, from_day: int, to_day: int, ok: bool
) -> None:
    first, last = NOW + timedelta(days=from_day), NOW + timedelta(days=to_day)
    cert, key = certificate(tmp_path / "tls", first, last)
    assert examine.certificate(cert, key, NOW).ok is ok


def test_a_certificate_needs_its_own_key(tmp_path: Path) -> None:
    first, last = NOW - timedelta(days=1), NOW + timedelta(days=90)
    cert, key = certificate(tmp_path / "a", first, last)
    _, other = certificate(tmp_path / "b", first, last)
    assert "is not the key of" in examine.certificate(cert, other, NOW).detail
    assert examine.certificate(tmp_path / "none", key, NOW).ok is False
    assert examine.certificate(key, cert, NOW).ok is False


def test_the_data_directory_is_closed_to_others(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert examine.data_directory(data).ok is None
    data.mkdir(mode=0o700)
    assert examine.data_directory(data).ok is True
    data.chmod(0o755)
    found = examine.data_directory(data)
    assert (found.ok, found.mend) == (False, f"chmod 700 {data}")
    (tmp_path / "file").touch()
    assert examine.data_directory(tmp_path / "file").ok is False


def test_the_key_file_is_for_its_owner_only(tmp_path: Path) -> None:
    key = tmp_path / "secret.key"
    assert examine.key_file(key).ok is None
    key.touch(mode=0o600)
    assert examine.key_file(key).ok is True
    key.chmod(0o640)
    assert examine.key_file(key).ok is False


def test_a_given_prefix_without_asterisk_is_a_finding(tmp_path: Path) -> None:
    found = examine.engine(tmp_path, str(tmp_path))
    assert (found.ok, "engine_prefix" in found.mend) == (False, True)


def test_an_engine_that_does_not_run_has_no_pid(tmp_path: Path) -> None:
    assert examine.engine_pid(tmp_path) is None
    assert examine.running(None).ok is None
    assert examine.running(1).ok is True


def test_long_paths_are_told(tmp_path: Path) -> None:
    assert "too long" in examine.sockets(tmp_path / ("x" * 120)).detail
    assert examine.sockets(Path("/srv/trunkline/engine")).detail == "/srv/trunkline/engine/run"


def test_a_trunk_is_well_when_it_answers_and_is_up_for_the_server() -> None:
    states = [("a", True, True), ("b", False, None), ("c", True, None), ("d", True, False)]
    found = examine.trunks([(*state, None) for state in states])
    assert [(f.name, f.ok, bool(f.mend)) for f in found] == [
        ("trunk a", True, False),
        ("trunk b", False, True),
        ("trunk c", True, False),
        ("trunk d", False, True),
    ]
    assert found[3].detail == "its carrier answers; it is down for the server"
    [refused] = examine.trunks([("e", True, False, "certificate has expired")])
    assert (refused.ok, refused.detail) == (False, "TLS: certificate has expired")
    assert "sip_tls_ca" in refused.mend


def test_sip_connections_over_tcp_are_counted_and_many_are_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert examine.sip_connections([port]).ok is True
        with (
            socket.create_connection(("127.0.0.1", port)),
            socket.create_connection(("127.0.0.1", port)),
        ):
            monkeypatch.setattr(examine, "MANY", 3)
            assert examine.sip_connections([port]).ok is True
            monkeypatch.setattr(examine, "MANY", 2)
            found = examine.sip_connections([port])
    assert found.ok is False
    assert found.detail.startswith("2 over TCP and TLS, of 1010")
    assert "deploy/nftables" in found.mend


def test_many_are_told_once_and_so_is_their_end() -> None:
    watched = SipConnections([5060])
    with capture_logs() as logged:
        for number in (10, MANY, MOST, MANY, MANY - 1, 0):
            watched.take(number)
    assert [(line["log_level"], line["open"]) for line in logged] == [
        ("warning", MANY),
        ("info", MANY - 1),
    ]
    assert watched.open == 0
