"""``trunkline …`` with chunks so small that there are many of them; to be killed."""

from __future__ import annotations

import sys

from trunkline import cli
from trunkline.store.copy import source

source.ROWS = int(sys.argv.pop(1))
cli.main()
