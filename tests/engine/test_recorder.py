"""The recorder, a module of ours, is built for the engine that runs, and is there before the engine is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from trunkline.engine.install import recorder
from trunkline.engine.install.choose import (
    EngineInstallError,
    Installed,
    Source,
    find,
    with_recorder,
)

MODULE = "app_record_leg.so"
COMPILERS = ("cc", "gcc", "clang")


@pytest.fixture
def plain(cache: Path) -> Installed:
    """An engine as it was fetched."""
    found = find(cache)
    assert found is not None
    return found


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with all that the machine has, but for compilers."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in ("/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        for program in Path(place).glob("*"):
            if program.name not in COMPILERS:
                (folder / program.name).unlink(missing_ok=True)
                (folder / program.name).symlink_to(program)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_it_stands_beside_the_engines_own_modules(plain: Installed, tmp_path: Path) -> None:
    made = with_recorder(plain, tmp_path)
    assert (made.modules / MODULE).stat().st_size > 10_000
    assert (made.modules / "chan_pjsip.so").resolve() == (plain.modules / "chan_pjsip.so").resolve()
    assert not (plain.modules / MODULE).exists()


def test_it_is_built_once(plain: Installed, tmp_path: Path, path: Path) -> None:
    first = with_recorder(plain, tmp_path)
    told: list[str] = []
    again = with_recorder(plain, tmp_path, Source(progress=lambda what, _: told.append(what)))
    assert (again, told) == (first, [])


def test_without_a_compiler_debians_is_fetched_for_it(
    plain: Installed, tmp_path: Path, path: Path
) -> None:
    made = with_recorder(plain, tmp_path, Source(warn=lambda _: None))
    assert (made.modules / MODULE).stat().st_size > 10_000
    assert sorted(each.name for each in (tmp_path / "engine").iterdir()) == ["lock", "modules"]


def test_a_compiler_that_fails_is_as_good_as_none(
    plain: Installed, tmp_path: Path, path: Path
) -> None:
    (path / "cc").write_text("#!/bin/sh\necho 'cc: error: no headers' >&2\nexit 1\n")
    (path / "cc").chmod(0o755)
    installed = msgspec.structs.replace(plain, origin="system")
    with pytest.raises(EngineInstallError, match=r"no headers.*install gcc"):
        with_recorder(installed, tmp_path)
    assert [each.suffix for each in (tmp_path / "engine" / "modules").iterdir()] == [".partial"]


def test_an_installed_engine_asks_for_a_compiler(
    plain: Installed, tmp_path: Path, path: Path
) -> None:
    with pytest.raises(EngineInstallError, match="install gcc"):
        with_recorder(msgspec.structs.replace(plain, origin="system"), tmp_path)


def test_a_build_that_was_killed_is_done_again(plain: Installed, tmp_path: Path) -> None:
    def dies(source: Path, include: Path, module: Path) -> None:
        module.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recorder.with_recorder(plain, tmp_path, dies, lambda *_: None)
    made = recorder.with_recorder(plain, tmp_path, recorder.by_machine, lambda *_: None)
    assert (made.modules / MODULE).stat().st_size > 10_000


@pytest.mark.parametrize("name", recorder.NAMES)
def test_its_source_has_no_warnings(plain: Installed, tmp_path: Path, name: str) -> None:
    source = Path(recorder.__file__).parents[1] / "recorder" / f"{name}.c"
    gcc = shutil.which("gcc")
    assert gcc
    done = subprocess.run(
        [gcc, "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-fPIC", "-Wall", "-Wshadow", "-shared",
         f"-isystem{plain.headers}", str(source), "-o", str(tmp_path / MODULE)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
