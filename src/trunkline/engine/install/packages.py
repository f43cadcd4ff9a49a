"""Fetches Debian's packages of Asterisk: apt finds and checks them, and they are unpacked, not installed.

apt works in a directory of ours, with its own lists, its own cache, and its own idea of what is
installed (``NOT_NEEDED``). So the machine's package system is neither read nor changed, and root
is not needed. The machine's proxy, certificate and login settings for apt count; its hooks do not.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Literal

import msgspec
import structlog

Progress = Callable[[str, float | None], None]
"""Called with what goes on, and how far it is: 0 to 1, or None when that is not known."""

OLDEST = "22.10.1"
"""The first release to run: it mends twenty security advisories."""

KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
ROOM = 400 * 1024 * 1024
"""Bytes that must be free: for lists, packages and the unpacked engine together."""

LOCK_SECONDS = 300.0
"""For so long we wait for an apt that still works in our directory: one whose install was killed ends soon."""

NOT_NEEDED = """
    adduser base-passwd debconf login.defs passwd readline-common tzdata asterisk-config-custom
    perl perl-base perl-modules-5.42 libperl5.42 pinentry-curses
    dirmngr gnupg gnupg-l10n gpg gpg-agent gpgconf gpgsm gpgv
    freetds-common libasound2t64 libcodec2-1.2 libgmime-3.0-0t64 libical3t64 libiksemel3
    libjack-jackd2-0 liblua5.1-0 libneon27t64 libportaudio2 libradcli4 libsnmp-base libsnmp45
    libsybdb5 openssl-provider-legacy debhelper
"""
"""Packages that apt is told are there already: tools that only installing needs, and libraries of
modules that are never loaded. A name that is out of date only makes the download larger.
"""

_LEAVE_OUT = (
    "./usr/share/doc/*",
    "./usr/share/info",
    "./usr/share/lintian",
    "./usr/share/locale/*",
    "./usr/share/man/*",
    "./usr/share/asterisk/conf",
    "./etc",
)
_CONF = """\
Dir::State "{here}/state";
Dir::State::status "{here}/status";
Dir::Cache "{here}/cache";
Dir::Etc::sourcelist "{here}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Check-Date "true";
Acquire::Languages "none";
Acquire::Retries "3";
"""


class EngineInstallError(Exception):
    """The engine cannot be fetched; the message is one line that says why and what to do."""


def _log(said: str) -> None:
    structlog.get_logger().warning("engine.stale_index", detail=said)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where packages come from, and whom that is told.

    Without a ``mirror``, it is the machine's own. ``warn`` is told of an index past its date.
    """

    mirror: str = ""
    suite: str = "sid"
    stale_index: Literal["warn", "refuse"] = "warn"
    progress: Progress = lambda _what, _done: None
    warn: Callable[[str], None] = _log


class Fetched(msgspec.Struct, frozen=True):
    """Packages on disk, each checked against the signed index, and the version of the first that was asked for."""

    version: str
    packages: tuple[Path, ...]


def architecture() -> str:
    """This machine's Debian architecture; raises EngineInstallError where Debian's tools are missing."""
    for tool in ("apt-get", "dpkg", "dpkg-deb", "tar"):
        if shutil.which(tool) is None:
            raise EngineInstallError(
                f"{tool} is not here, and without it Asterisk cannot be fetched: install Asterisk"
                f" {OLDEST} or later yourself, or set engine_prefix to where it is"
            )
    name = _output("dpkg", "--print-architecture").strip()
    if name not in TRIPLETS:
        raise EngineInstallError(
            f"Asterisk can be fetched for amd64 and arm64, and this machine is {name or 'unknown'}:"
            f" install Asterisk {OLDEST} or later yourself, or set engine_prefix to where it is"
        )
    return name


def keyring() -> Path:
    """The Debian archive's public keys; raises EngineInstallError when they are not here."""
    for file in KEYRINGS:
        if file.is_file():
            return file
    raise EngineInstallError(
        f"the Debian archive's keys are not at {KEYRINGS[0]}, so what is fetched could not be"
        " checked: install the package debian-archive-keyring"
    )


def machine_mirror() -> str | None:
    """The Debian mirror that this machine's apt uses, not its security archive; None if there is none."""
    listed = _output(
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI) $(ORIGIN) $(LABEL)",
        "Created-By: Packages",
    )
    for line in listed.splitlines():
        uri, _, origin = line.partition(" ")
        if origin == "Debian Debian":
            return uri.rstrip("/")
    # Without lists, as in a fresh container, apt only knows where it would look.
    would = re.findall(
        r"^'(\S+)/dists/[^/']+/InRelease'", _output("apt-get", "update", "--print-uris"), re.M
    )
    return next((uri for uri in would if re.fullmatch(r"[a-z+]+://[^/]*/debian", uri)), None)


def _output(*command: str) -> str:
    """What a program prints; empty when it fails."""
    done = subprocess.run(command, capture_output=True, env=_environ(), stdin=subprocess.DEVNULL)
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""


def _environ() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def fetch(
    here: Path,
    names: Sequence[str],
    source: Source,
) -> Fetched:
    """Download packages and what they need into ``here``; goes on where an earlier try ended.

    Raises EngineInstallError.
    """
    mirror, suite = source.mirror or machine_mirror(), source.suite
    if not mirror:
        raise EngineInstallError(
            "this machine's apt knows no Debian mirror to fetch Asterisk from: set engine_mirror"
        )
    _prepare(here, mirror.rstrip("/"), suite)
    _update(here, source)
    fetched = ("install", "-y", "--download-only", *names)
    _apt(here, *fetched, progress=source.progress, what="packages")
    wanted = _wanted(here, names)
    files = [file for file, _ in wanted]
    first = next((file for file in files if file.startswith(f"{names[0]}_")), None)
    if first is None:
        raise EngineInstallError(f"{mirror} {suite} has no package {names[0]}: set engine_suite")
    archives = here / "cache" / "archives"
    for file, digest in wanted:
        _check(archives / file, digest)
    version = first.split("_")[1].replace("%7e", "~").rpartition("%3a")[2]
    return Fetched(version, tuple(archives / file for file in files))


def _prepare(here: Path, mirror: str, suite: str) -> None:
    keys, machine = keyring(), architecture()
    if not re.fullmatch(r"[a-z+]+:[^\s\[\]\"]+", mirror):
        raise EngineInstallError(f"engine_mirror: {mirror!r} is not the URL of a Debian mirror")
    if not re.fullmatch(r"[A-Za-z0-9._/-]+", suite):
        raise EngineInstallError(f"engine_suite: {suite!r} is not a Debian suite, such as sid")
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (here / folder).mkdir(parents=True, exist_ok=True)
    _check_room(here)
    (here / "apt.conf").write_text(_CONF.format(here=here, architecture=machine))
    (here / "sources.list").write_text(
        f"deb [signed-by={keys} arch={machine}] {mirror} {suite} main\n"
    )
    (here / "status").write_text(
        "\n".join(_as_installed(name, machine) for name in NOT_NEEDED.split())
    )


def _check_room(here: Path) -> None:
    free = shutil.disk_usage(here).free
    if free < ROOM:
        raise EngineInstallError(
            f"{here} has {free >> 20} MB free and {ROOM >> 20} MB are needed:"
            " make room, or point XDG_CACHE_HOME to another disk"
        )


def _as_installed(name: str, machine: str) -> str:
    return (
        f"Package: {name}\nStatus: install ok installed\nArchitecture: {machine}\n"
        "Multi-Arch: allowed\nMaintainer: none\nVersion: 9999\nDescription: left out\n"
    )


def _update(
    here: Path,
    source: Source,
) -> None:
    progress = source.progress
    try:
        _apt(here, "update", "--error-on=any", progress=progress, what="index")
    except _Stale as stale:
        if source.stale_index == "refuse":
            raise EngineInstallError(
                f"the mirror's signed index is past its date ({stale}): take a mirror that is kept"
                " up to date (engine_mirror), or set engine_stale_index to warn"
            ) from stale
        source.warn(
            f"the mirror's signed index is past its date ({stale}); its signature is still checked"
        )
        _apt(here, "update", "--error-on=any", progress=progress, what="index", dated=False)


def _wanted(here: Path, names: Sequence[str]) -> list[tuple[str, str]]:
    """File name and digest, as apt writes it (``SHA256:…``), of every package to have."""
    listed = _output(
        "apt-get", f"-c={here}/apt.conf", f"-oDir::Cache::Archives={here}/none/",
        "-oAcquire::ForceHash=sha256", "install", "-qq", "-y", "--print-uris", *names,
    )  # fmt: skip
    return [(name, digest) for _, name, _, digest in map(str.split, listed.splitlines())]


def _check(file: Path, digest: str) -> None:
    """apt trusts a finished file by its size; a power cut can leave the size and no bytes."""
    kind, _, expected = digest.partition(":")
    with file.open("rb") as opened:
        actual = hashlib.file_digest(opened, "sha256").hexdigest()
    if (kind, expected) != ("SHA256", actual):
        file.unlink()
        raise EngineInstallError(f"{file.name} is damaged and was removed: try again")


class _Locked(Exception):
    """Another apt works in the directory; the text is what ours said."""


class _Stale(Exception):
    """The index is past its Valid-Until; the text says since when."""


def _apt(here: Path, *words: str, progress: Progress, what: str, dated: bool = True) -> None:
    """Run apt-get to its end; raises EngineInstallError or _Stale, by what it says.

    apt itself waits only for dpkg's lock (DPkg::Lock::Timeout), and dpkg is not run here.
    """
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return _run_apt(here, *words, progress=progress, what=what, dated=dated)
        except _Locked as locked:
            if time.monotonic() > until:
                raise EngineInstallError(
                    f"another apt has worked in {here} for {LOCK_SECONDS:.0f} s ({locked}): end it"
                ) from locked
            progress("waiting for another install", None)
            time.sleep(0.2)


def _run_apt(here: Path, *words: str, progress: Progress, what: str, dated: bool) -> None:
    read, write = os.pipe()
    command = ["apt-get", f"-c={here}/apt.conf", f"-oAPT::Status-Fd={write}", "-q"]
    command += [f"-oAcquire::Check-Valid-Until={str(dated).lower()}", *words]
    log = here / "apt.log"
    # If this process dies, apt dies, too: nobody reads its steps any more (SIGPIPE).
    with (
        log.open("wb") as said,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=_environ(), pass_fds=[write]
        ) as process,
        os.fdopen(read, errors="replace") as steps,
    ):  # fmt: skip
        os.close(write)
        for step in steps:
            if step.startswith("dlstatus:"):
                progress(f"fetching {what}", min(float(step.split(":")[2]) / 100, 1.0))
    if process.returncode != 0:
        raise _error(log.read_text(errors="replace"), what)


_CAUSES = (
    (r"NO_PUBKEY|signatures? (couldn't|could not|were invalid)|is not signed|BADSIG|EXPKEYSIG",
     "the mirror's index is not signed by a key of the Debian archive ({line}): check engine_mirror,"
     " and update the package debian-archive-keyring"),
    (r"is not valid yet",
     "the mirror's index is from the future ({line}): set this machine's clock"),
    (r"No space left|enough free space",
     "the disk is full ({line}): make room, or point XDG_CACHE_HOME to another disk"),
    (r"does not have a Release file|404 ",
     "the mirror does not have this suite or file ({line}): check engine_mirror and engine_suite"),
    (r"Unable to locate package|no installation candidate|unmet dependencies|held broken packages",
     "this suite has no Asterisk that can be fetched ({line}): check engine_suite"),
    (r"Could not (resolve|connect)|Temporary failure|Unable to connect|Connection|timed out|Failed to fetch",
     "the mirror cannot be reached ({line}): check the network, the proxy and engine_mirror; what"
     " was fetched is kept"),
)  # fmt: skip


def _error(said: str, what: str) -> Exception:
    locked = re.search(r"^.*Could not get lock.*$", said, re.M)
    if locked:
        return _Locked(_short(locked[0]))
    stale = re.search(r"is expired \((invalid since [^)]*)\)", said)
    if stale:
        return _Stale(stale[1])
    for pattern, message in _CAUSES:
        found = re.search(f"^.*(?:{pattern}).*$", said, re.M)
        if found:
            return EngineInstallError(message.format(line=_short(found[0])))
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "no reason given")
    return EngineInstallError(f"apt could not fetch the {what}: {_short(last)}")


def _short(line: str) -> str:
    return re.sub(r"^[EWF]: |\s+$|^\s+", "", re.sub(r"//[^/@\s]*@", "//", line))[:300]


def unpack(packages: Sequence[Path], into: Path, progress: Progress) -> None:
    """Unpack packages into a new directory, without the files that are not used at run time.

    Raises EngineInstallError; the directory is then of no use.
    """
    into.mkdir(parents=True)
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(_unpack_one, package, into) for package in packages]
        try:
            for number, job in enumerate(as_completed(jobs), 1):
                job.result()
                progress("unpacking", number / len(jobs))
        finally:
            pool.shutdown(cancel_futures=True)


def _unpack_one(package: Path, into: Path) -> None:
    tar = ["tar", "-x", "-C", str(into), "--no-same-owner", "--no-same-permissions"]
    tar += [f"--exclude={pattern}" for pattern in _LEAVE_OUT]
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE
    ) as source:
        done = subprocess.run(tar, stdin=source.stdout, capture_output=True)
    if done.returncode != 0 or source.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["not a package"]
        full = any("No space left" in line for line in said)
        mend = "make room on the disk" if full else "try again"
        raise EngineInstallError(f"{package.name} cannot be unpacked ({said[0]}): {mend}")
