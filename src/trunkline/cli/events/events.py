"""trunkline events: all commands of the group, each in the file of its name."""

from __future__ import annotations

from trunkline.cli.events.replay import replay
from trunkline.cli.events.tail import tail
from trunkline.cli.events.trigger import trigger
from trunkline.cli.options import group

app = group("Events: follow them, see them again, and trigger samples.")

for _command in (tail, replay, trigger):
    app.command()(_command)
