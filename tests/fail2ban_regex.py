"""The real fail2ban-regex with the filter that we ship: which addresses of a log would be banned."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

UNPACKED = Path(__file__).parent / "fail2ban"
FILTER = Path(__file__).parents[1] / "deploy" / "fail2ban" / "filter.d" / "trunkline.conf"


def guessers(log: Path) -> list[str]:
    """The address of each line that the filter matches, in order."""
    command, environment = ["fail2ban-regex"], {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    if not shutil.which("fail2ban-regex"):
        command = ["/usr/bin/python3", str(UNPACKED / "usr/bin/fail2ban-regex")]
        command += ["--config", str(UNPACKED / "etc/fail2ban")]
        environment["PYTHONPATH"] = str(UNPACKED / "usr/lib/python3/dist-packages")
    done = subprocess.run(
        [*command, "--print-all-matched", "--verbose", str(log), str(FILTER)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"^\|? +([0-9a-f.:]+)  [A-Z][a-z]{2} [A-Z][a-z]{2} +\d", done.stdout, re.M)
