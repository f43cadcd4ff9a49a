"""``trunkline``, but every signal of the engine is written down too, for ``recorder.py``.

TRUNKLINE_HEARD names the file: a line for each signal, [when it came, its kind, its fields…].
"""

from __future__ import annotations

import os
import time

import msgspec

from trunkline.cli import main
from trunkline.engine.port import EndpointChanged, Signal, TrunkChanged
from trunkline.server.main_server import System

_take = System._on_signal


def _write_down(system: System, signal: Signal) -> None:
    if not isinstance(signal, EndpointChanged | TrunkChanged):
        line = [time.time_ns() // 1000, type(signal).__name__, *msgspec.structs.astuple(signal)]
        with open(os.environ["TRUNKLINE_HEARD"], "ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")
    _take(system, signal)


System._on_signal = _write_down  # type: ignore[method-assign]
main()
