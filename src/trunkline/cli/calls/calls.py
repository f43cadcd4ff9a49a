"""trunkline calls: all commands of the group, each in the file of its name."""

from __future__ import annotations

from trunkline.cli.calls.export import export
from trunkline.cli.calls.list import list_calls
from trunkline.cli.calls.refold import refold
from trunkline.cli.calls.show import show
from trunkline.cli.calls.tail import tail
from trunkline.cli.calls.transfer import transfer
from trunkline.cli.options import group

app = group("Calls: those that live, their events, and one call in full.")

app.command()(export)
app.command()(refold)
app.command("list")(list_calls)
app.command()(tail)
app.command()(show)
app.command()(transfer)
