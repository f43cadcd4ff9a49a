"""Builds our own modules of Asterisk, such as the recorder, and gives the engine a folder of modules with them.

A module fits one build of Asterisk only: its headers name the build (``AST_BUILDOPT_SUM``), and Asterisk
refuses a module of another one. So they are compiled here, once for each engine and each version of the
source, by the machine's compiler, or by Debian's own, which is fetched for that and removed
again. See ``docs/decisions/0022-a-recorder-of-our-own.md``.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Protocol

import msgspec

from trunkline.engine.install.installed import Installed
from trunkline.engine.install.packages import EngineInstallError, Progress

SOURCES = (
    ("trunkline.engine.recorder", "app_record_leg"),
    ("trunkline.engine.recorder", "cel_event_log"),
    ("trunkline.engine.guard", "res_expected_media"),
    ("trunkline.engine.guard", "res_failed_logins"),
    ("trunkline.engine.guard", "res_no_maddr"),
    ("trunkline.engine.guard", "res_one_account"),
    ("trunkline.engine.guard", "res_phone_place"),
    ("trunkline.engine.guard", "res_same_pace"),
    ("trunkline.engine.guard", "res_short_logs"),
)
"""Where the source of each of our modules stands, and what the module is called."""
HEADERS = "asterisk/buildopts.h"
_FLAGS = ("-std=gnu11", "-O2", "-fPIC", "-D_GNU_SOURCE")
_SUM = re.compile(rb'AST_BUILDOPT_SUM\s+"([0-9a-f]{32})"')
_COMPILERS = ("cc", "gcc", "clang")


class Compiler(Protocol):
    def __call__(self, code: Path, include: Path, module: Path) -> None:
        """Make the module; raises EngineInstallError."""


class NoCompiler(EngineInstallError): ...


def fits(headers: Path, modules: Path) -> bool:
    """Are these the headers of the build that the modules are of?"""
    try:
        found = _SUM.search((headers / HEADERS).read_bytes())
        return found is not None and found[1] in (modules / "pbx_config.so").read_bytes()
    except OSError:
        return False


def with_recorder(
    engine: Installed, place: Path, compiler: Compiler, progress: Progress
) -> Installed:
    """The engine with a folder of modules, in ``place``, that has ours beside its own.

    Raises EngineInstallError. A kill leaves nothing that is found.
    """
    sources = {
        name: (resources.files(package) / f"{name}.c").read_bytes() for package, name in SOURCES
    }
    folder = place / _key(engine, sources.values())
    if not all((folder / f"{name}.so").is_file() for name in sources):
        progress("building the recorder", None)
        _make(engine, sources, folder, compiler)
    return msgspec.structs.replace(engine, modules=folder)


def _key(engine: Installed, sources: Iterable[bytes]) -> str:
    options = (engine.headers / HEADERS).read_bytes()
    parts = (*sources, options, os.fsencode(engine.modules), engine.version.encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:20]


def _make(
    engine: Installed, sources: Mapping[str, bytes], folder: Path, compiler: Compiler
) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for module in engine.modules.glob("*.so"):
        (partial / module.name).symlink_to(module)
    for name, source in sources.items():
        code = partial / f"{name}.c"
        code.write_bytes(source)
        compiler(code, engine.headers, partial / f"{name}.so")
    os.sync()
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def by_machine(code: Path, include: Path, module: Path) -> None:
    """Compile by the machine's compiler; raises NoCompiler where there is none that works."""
    found = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if found is None:
        raise NoCompiler("there is no C compiler here: install gcc")
    said = _run([found, *_FLAGS, "-shared", f"-I{include}", str(code), "-o", str(module)])
    if said is not None:
        raise NoCompiler(f"{found} cannot compile the recorder ({said}): install gcc and libc6-dev")


class Toolchain:
    """Debian's compiler, unpacked in ``root`` and run by its own loader."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, code: Path, include: Path, module: Path) -> None:
        # Each program by itself: the compiler's driver would start the others without the loader.
        assembly, object_file = code.with_suffix(".s"), code.with_suffix(".o")
        system = [f"-I{include}", *(f"-isystem{folder}" for folder in self._includes())]
        steps = (
            [*self._run_by(self._one("usr/libexec/gcc/*/*/cc1")), "-quiet", *_FLAGS, *system,
             str(code), "-o", str(assembly)],
            [*self._run_by(self._one("usr/bin/*-linux-gnu-as")), str(assembly), "-o", str(object_file)],
            [*self._run_by(self._one("usr/bin/*-linux-gnu-ld")), "-shared", str(object_file), "-o", str(module)],
        )  # fmt: skip
        for step in steps:
            if (said := _run(step)) is not None:
                raise EngineInstallError(f"Debian's compiler cannot compile the recorder ({said})")

    def _one(self, pattern: str) -> Path:
        found = next(self._root.glob(pattern), None)
        if found is None:
            raise EngineInstallError(f"Debian's compiler has no {pattern}: install gcc")
        return found

    def _run_by(self, program: Path) -> list[str]:
        loader = self._one("usr/lib/*-linux-gnu/ld-linux-*.so.*")
        return [str(loader), "--library-path", str(loader.parent), str(program)]

    def _includes(self) -> Sequence[Path]:
        triplet = self._one("usr/lib/*-linux-gnu/ld-linux-*.so.*").parent.name
        compilers = self._one("usr/lib/gcc/*/*/include")
        return compilers, self._root / "usr/include" / triplet, self._root / "usr/include"


def _run(command: Sequence[str]) -> str | None:
    """None when it has worked, else the first of what it says."""
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=300,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    said = done.stderr.decode(errors="replace").splitlines()
    told = [*(line for line in said if "error" in line), *said, "no reason given"]
    return told[0][:300]
