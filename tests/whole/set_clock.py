"""An Asterisk whose clock a test can set, by libfaketime."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from trunkline.engine.install import choose
from trunkline.server.settings import default_cache


class SetClock:
    """The clock on the wall; the monotonic one goes on as it is."""

    def __init__(self, folder: Path) -> None:
        libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not libraries:
            pytest.skip("libfaketime is not here: `sh tests/need.sh` gets it")
        self._file = folder / "clock"
        self._environment: Mapping[str, str] = {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # else waits that go by the monotonic clock end at once, and whoever waits so spins
            "FAKETIME_FORCE_MONOTONIC_FIX": "1",
        }
        self.set(0)

    def set(self, seconds: int) -> None:
        """It is so far off from now on."""
        aside = self._file.with_suffix(".new")
        aside.write_text(f"{seconds:+d}\n")
        aside.replace(self._file)

    def engine(self, folder: Path) -> Path:
        """An engine of this clock: for ``engine_prefix``."""
        found = choose.find(default_cache()) or choose.install(default_cache())
        (folder / "sbin").mkdir(parents=True)
        base = found.headers.parent
        for name in ("lib", "share", "include"):
            (folder / name).symlink_to(base / name)
        words = ["env", *(f"{name}={value}" for name, value in self._environment.items())]
        program = folder / "sbin" / "asterisk"
        program.write_text(f'#!/bin/sh\nexec {shlex.join([*words, *found.command])} "$@"\n')
        program.chmod(0o755)
        return folder
