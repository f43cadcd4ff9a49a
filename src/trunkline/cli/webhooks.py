"""trunkline webhooks: all commands of the group, each written where its subject is."""

from __future__ import annotations

from trunkline.cli.webhooks_deliveries import deliveries, replay
from trunkline.cli.webhooks_listen import listen
from trunkline.cli.webhooks_manage import webhook as app

for _command in (deliveries, replay, listen):
    app.command(_command.__name__)(_command)
