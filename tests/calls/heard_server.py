"""``trunkline``, but every signal of the engine is written down too, for ``recorder.py``.

TRUNKLINE_HEARD names the file: a line for each signal, [when it came, its kind, its fields…].
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import msgspec

from trunkline.cli import main
from trunkline.engine.asterisk import Asterisk
from trunkline.engine.port import EndpointChanged, LegInSip, OnSignal, Signal, TrunkChanged

_made = Asterisk.__init__


def _write_down(signal: Signal) -> None:
    if not isinstance(signal, EndpointChanged | LegInSip | TrunkChanged):
        line = [time.time_ns() // 1000, type(signal).__name__, *msgspec.structs.astuple(signal)]
        with open(os.environ["TRUNKLINE_HEARD"], "ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")


def _make(
    self: Asterisk, home: Path, port: int, password: str, on_signal: OnSignal, **more: Any
) -> None:
    def hear(signal: Signal) -> None:
        _write_down(signal)
        on_signal(signal)

    _made(self, home, port, password, hear, **more)


Asterisk.__init__ = _make  # type: ignore[method-assign]
main()
