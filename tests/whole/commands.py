"""Several commands of the command line in one process: ``commands.py DATA``, with a JSON array of
their words on standard input. Prints an array of what each printed; a failure ends it.

A whole test's people are a dozen commands, and each process of its own imports the product anew.
"""

from __future__ import annotations

import json
import sys

from typer.testing import CliRunner

from trunkline.cli import app


def main() -> None:
    told = []
    for words in json.load(sys.stdin):
        result = CliRunner().invoke(app, ["--data", sys.argv[1], *words, "--json"])
        if result.exit_code:
            sys.exit(f"{' '.join(words)}: {result.output}")
        told.append(json.loads(result.stdout))
    print(json.dumps(told))


main()
