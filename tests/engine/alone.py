"""A module of ours by itself: its source, with what it asks Asterisk for in a file beside it, under sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from trunkline.engine.install import recorder
from trunkline.engine.install.choose import Installed


class Alone:
    """A program that plays one scene after the other (``NAME_alone.c``)."""

    def __init__(self, installed: Installed, module: str, stand_in: str, folder: Path) -> None:
        source = Path(recorder.__file__).parents[1] / "recorder" / f"{module}.c"
        self._made = folder / "alone"
        gcc = shutil.which("gcc")
        assert gcc
        subprocess.run(
            [gcc, "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g", "-w", "-fsanitize=address,undefined",
             f'-DSOURCE="{source}"', f"-isystem{installed.headers}",
             str(Path(__file__).with_name(stand_in)), "-o", str(self._made), "-pthread"],
            check=True,
        )  # fmt: skip

    def play(self, scene: str, place: Path) -> list[str]:
        """What it says; a leak or a wrong access is an error."""
        done = subprocess.run(
            [self._made, scene, place], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")
        return [line.replace(str(place), "PLACE") for line in done.stdout.splitlines()]
