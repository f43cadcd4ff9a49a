"""What ``trunkline doctor`` looks at on this machine: findings, each with how to mend it.

Nothing here changes anything, and nothing raises: what cannot be looked at is *not checked*.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from trunkline.engine.config.run_directory import run_directory_of
from trunkline.engine.install.choose import EngineInstallError, find
from trunkline.engine.process import identity, taken_ports
from trunkline.engine.process.sip_connections import MANY, MOST

ROOM = 1 << 30
"""Bytes that should be free for recordings and logs."""
RENEW = timedelta(days=14)
"""A certificate that ends within this time should be renewed."""
_STA_UNSYNC = 0x40


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at. ``ok`` is None when it was not checked; ``mend`` says what to do."""

    name: str
    ok: bool | None
    detail: str
    mend: str = ""


def engine(cache: Path, prefix: str, more: Sequence[str] = ()) -> Finding:
    """Is there an Asterisk to run, which has the modules ``more``, too?"""
    try:
        found = find(cache, prefix, more)
    except EngineInstallError as error:
        return Finding("engine", False, str(error), "set engine_prefix rightly, or leave it empty")
    if found is None:
        return Finding("engine", False, "no Asterisk of use is here", "trunkline engine install")
    return Finding("engine", True, f"Asterisk {found.version} ({found.origin})")


def engine_pid(home: Path) -> int | None:
    """The process of the engine that runs on this directory; None when none does."""
    arguments = ("-f", "-C", str(home / "etc" / "asterisk.conf"))
    for candidate in (identity.read(home / "engine.pid"), identity.search(arguments)):
        pidfd = identity.open_pidfd(candidate, arguments) if candidate else None
        if candidate and pidfd is not None:
            os.close(pidfd)
            return candidate.pid
    return None


def running(pid: int | None) -> Finding:
    if pid is None:
        return Finding("engine running", None, "it does not run", "trunkline up")
    return Finding("engine running", True, f"process {pid}")


def port(
    name: str, address: tuple[str, int], kinds: Iterable[taken_ports.Kind], ours: Iterable[int]
) -> Finding:
    """Is the port of this setting free, or held by one of our processes?"""
    host, number = address
    for kind in kinds:
        if taken_ports.held_by(kind, number, ours):
            continue
        wrong = taken_ports.why_not(kind, host, number)
        if wrong:
            return Finding(
                f"{name} port", False, f"{kind} {host}:{number}: {wrong}",
                f"end the program that has it, or set another address for {name}",
            )  # fmt: skip
    return Finding(f"{name} port", True, f"{host}:{number} is free or ours")


def rtp(span: tuple[int, int], ours: Iterable[int]) -> Finding:
    """Are more than half of the audio ports free of other programs?"""
    first, last = span
    others = taken_ports.others_in("udp", first, last, ours)
    detail = f"{last - first + 1} ports, {others} of them held by other programs"
    enough = others * 2 < last - first + 1
    return Finding("rtp ports", enough, detail, "" if enough else "set another range for rtp")


def sip_connections(ports: Iterable[int], ours: Iterable[int] = ()) -> Finding:
    """Is there room for more phones by TCP and TLS? A running engine may have other ports than the settings say."""
    number = taken_ports.connections(taken_ports.listened_at(ours) or frozenset(ports))
    detail = f"{number} over TCP and TLS, of {MOST} that Asterisk can have"
    if number < MANY:
        return Finding("sip connections", True, detail)
    return Finding(
        "sip connections", False, detail,
        "let the firewall cap them for each address (deploy/nftables/trunkline.nft), or have phones take UDP",
    )  # fmt: skip


def disk(data: Path) -> Finding:
    place = next((p for p in (data, *data.parents) if p.exists()), Path("/"))
    free = shutil.disk_usage(place).free
    detail = f"{free / (1 << 30):.1f} GiB free in {place}"
    if free >= ROOM:
        return Finding("disk", True, detail)
    return Finding("disk", False, detail, "make room, or move the data directory to another disk")


def clock() -> Finding:
    """Is the clock synchronised? Request hashes, records and certificates depend on it."""
    said = _timedatectl()
    if said == "yes" or (not said and _kernel_synchronised()):
        return Finding("clock", True, "synchronised")
    if said == "no":
        return Finding(
            "clock", False, "not synchronised", "switch time synchronisation on: timedatectl set-ntp true"
        )  # fmt: skip
    return Finding("clock", None, "this machine does not say whether its clock is synchronised")


def _timedatectl() -> str:
    command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _kernel_synchronised() -> bool:
    """adjtimex(2), reading only: ``modes`` is 0. ``status`` is at byte 40 on 64-bit Linux."""
    timex = ctypes.create_string_buffer(512)
    try:
        state = ctypes.CDLL(None).adjtimex(timex)
    except (OSError, AttributeError):
        return False
    return state >= 0 and not int.from_bytes(timex.raw[40:44], "little") & _STA_UNSYNC


def certificate(cert: Path, key: Path, now: datetime | None = None) -> Finding:
    """Can the TLS certificate be read, is it in date, and does the key belong to it?"""
    try:
        chain = x509.load_pem_x509_certificates(cert.read_bytes())
        private = load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not PEM, or under a pass phrase"
        return Finding("certificate", False, f"{cert}, {key}: {why}", "correct sip_tls_cert and sip_tls_key")  # fmt: skip
    if _public(chain[0].public_key()) != _public(private.public_key()):
        return Finding("certificate", False, f"{key} is not the key of {cert}", "set sip_tls_key to the key that the certificate was made for")  # fmt: skip
    return _dates(chain[0], cert, now or datetime.now(UTC))


def _public(key: object) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return encoded


def _dates(found: x509.Certificate, cert: Path, now: datetime) -> Finding:
    first, last = found.not_valid_before_utc, found.not_valid_after_utc
    detail = f"{cert}: valid from {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    if now < first:
        return Finding("certificate", False, detail, "it is not valid yet: check the clock")
    if now > last - RENEW:
        return Finding("certificate", False, detail, "renew it, then restart trunkline")
    return Finding("certificate", True, detail)


def data_directory(data: Path) -> Finding:
    if not data.exists():
        return Finding("data directory", None, f"{data} is not there yet", "trunkline up makes it")
    found = data.stat()
    if not stat.S_ISDIR(found.st_mode) or not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        return Finding("data directory", False, f"{data} cannot be written", "run trunkline as its owner, or set data")  # fmt: skip
    if found.st_mode & 0o007 or found.st_uid not in (os.getuid(), 0):
        return Finding("data directory", False, f"{data} is open to other users", f"chmod 700 {data}")  # fmt: skip
    return Finding("data directory", True, str(data))


def key_file(file: Path) -> Finding:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except FileNotFoundError:
        return Finding("key file", None, f"{file} is not there yet", "trunkline up makes it")
    if not os.access(file, os.R_OK):
        return Finding("key file", False, f"{file} cannot be read", f"make it yours: chown $USER {file}")  # fmt: skip
    if mode & 0o077:
        return Finding("key file", False, f"{file} has mode {mode:04o}", f"chmod 600 {file}")
    return Finding("key file", True, str(file))


def sockets(home: Path) -> Finding:
    place = run_directory_of(home)
    if place == home / "run":
        return Finding("sockets", True, str(place))
    return Finding("sockets", True, f"{place}, since {home / 'run'} is too long for a socket")


def trunks(states: Iterable[tuple[str, bool, bool | None, str | None]]) -> list[Finding]:
    """Each trunk: its name, whether its carrier answers, whether it is up for the running server, trouble with TLS.

    Up is None where no server runs, or it has not heard yet.
    """
    return [_trunk(*state) for state in states]


def _trunk(name: str, answers: bool, up: bool | None, trouble: str | None) -> Finding:
    if trouble:
        return Finding(f"trunk {name}", False, f"TLS: {trouble}", _MEND_TLS)
    said = "its carrier answers" if answers else "no answer to OPTIONS"
    if up is not None:
        said += f"; it is {'up' if up else 'down'} for the server"
    ok = answers and up is not False
    return Finding(f"trunk {name}", ok, said, "" if ok else _MEND_TRUNK)


_MEND_TLS = (
    "set sip_tls, sip_tls_cert and sip_tls_key; if the carrier's certificate is its own or of its own"
    " authority, set sip_tls_ca to that; the trunk's host must be the name in it; then restart trunkline"
)
_MEND_TRUNK = "check the trunk's host, its login, and the way to it"
