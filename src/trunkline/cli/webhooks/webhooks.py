"""trunkline webhooks: all commands of the group, each written where its subject is."""

from __future__ import annotations

from trunkline.cli.webhooks.deliveries import deliveries
from trunkline.cli.webhooks.endpoints import webhook as app
from trunkline.cli.webhooks.listen import listen
from trunkline.cli.webhooks.replay import replay

for _command in (deliveries, replay, listen):
    app.command(_command.__name__)(_command)
