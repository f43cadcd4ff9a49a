"""What the log says when something goes wrong: where, but never with what."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FAILING = """
import sys, structlog
from trunkline.server.logs import configure
from trunkline.server.settings import Settings

configure(Settings(log_format=sys.argv[1]))

def sign(secret):
    raise RuntimeError("no luck")

try:
    sign("".join(["whsec_", "never-to-be-seen"]))
except RuntimeError as error:
    structlog.get_logger().error("a request failed", exc_info=error)
    import logging
    logging.getLogger("library").error("of a library", exc_info=error)
"""


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_no_values(form: str) -> None:
    command = [sys.executable, "-c", FAILING, form]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60).stderr

    assert said.count("RuntimeError: no luck") == 2
    assert "never-to-be-seen" not in said.replace('"never-to-be-seen"', "")


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_log_that_cannot_be_written_ends_nothing(form: str) -> None:
    """/dev/full takes nothing, as a full disk does."""
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", FAILING + "\nprint('went on')", form]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, text=True, timeout=60)

    assert (done.stdout, done.returncode in (0, 120)) == ("went on\n", True)
