"""trunkline db: all commands of the group, each in the file of its name."""

from __future__ import annotations

from trunkline.cli.database.check import check
from trunkline.cli.database.copy import copy
from trunkline.cli.options import group

app = group("The database: checking it, and moving it to PostgreSQL.")

app.command()(copy)
app.command()(check)
