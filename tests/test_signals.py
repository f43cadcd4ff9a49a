"""The tests themselves, started as a script's ``&`` starts them: with SIGINT ignored."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

CHILD = """
import signal, subprocess, sys

def test_a_child_hears_ctrl_c():
    asked = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert subprocess.check_output([sys.executable, "-c", asked]) == b"True\\n"
"""


def test_what_tests_start_hears_a_ctrl_c_though_they_do_not(tmp_path: Path) -> None:
    inner = tmp_path / "test_inner.py"
    inner.write_text(CHILD)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "conftest",
        "-c",
        "/dev/null",
        str(inner),
    ]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parent,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
