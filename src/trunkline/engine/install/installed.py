"""An Asterisk on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec


class Installed(msgspec.Struct, frozen=True):
    """An Asterisk that can be run.

    ``command`` starts it (its options follow); ``modules`` and ``share`` are what asterisk.conf
    calls astmoddir and astdatadir; ``headers`` is where its own headers are; ``root`` is the directory it was
    unpacked in, if it was.
    """

    version: str
    command: tuple[str, ...]
    modules: Path
    share: Path
    headers: Path
    origin: Literal["system", "private", "given"]
    root: Path | None
