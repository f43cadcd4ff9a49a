"""Where a call may go: destinations, what leads to them, and where a call goes on from them; what is heard there.

``destinations`` is the supertype; each kind has a table of its own under the same id (a user's is in
``directory.py``).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, Integer, Text

from trunkline.store.tables.columns import (
    belongs_to,
    destination_id_,
    flag,
    id_,
    leads_to,
    metadata,
    text,
    time,
)

destinations = sa.Table(
    "destinations",
    metadata,
    id_(),
    belongs_to("accounts"),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),  # KIND:NAME where people write it
    sa.UniqueConstraint("account_id", "kind", "name"),
)

outside_numbers = sa.Table(
    "outside_numbers",
    metadata,
    destination_id_(),
    Column("number", Text, nullable=False),
)

hangups = sa.Table(
    "hangups",
    metadata,
    destination_id_(),
    Column("cause", Integer, nullable=False),  # Q.850
)

prompts = sa.Table(
    "prompts",
    metadata,
    id_(),
    belongs_to("accounts"),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),  # upload or text
    text("text"),  # what it says, where it was made of a text
    Column(
        "file", Text, nullable=False
    ),  # below prompts/ of the data directory, without its ending
    time("created_at"),
    sa.UniqueConstraint("account_id", "name"),
)

announcements = sa.Table(
    "announcements",
    metadata,
    destination_id_(),
    belongs_to("accounts"),
    Column("name", Text, nullable=False),
    leads_to("prompt_id", "prompts"),
    flag("enabled", True),
    time("created_at"),
    sa.UniqueConstraint("account_id", "name"),
    sa.Index(None, "prompt_id"),
)

music = sa.Table(
    "music",
    metadata,
    id_(),  # its folder below music/ of the data directory is named so
    belongs_to("accounts"),
    Column("name", Text, nullable=False),
    Column("seconds", Integer, nullable=False),
    flag("used", False),  # who is held hears it: one of an account's, at most
    time("created_at"),
    sa.UniqueConstraint("account_id", "name"),
)

extensions = sa.Table(
    "extensions",
    metadata,
    id_(),
    belongs_to("accounts"),
    Column("number", Text, nullable=False),
    leads_to("destination_id", "destinations"),
    Column("route_key", Text, nullable=False, unique=True),  # account_id:number
    time("created_at"),
    sa.UniqueConstraint("account_id", "number"),
    sa.Index(None, "destination_id"),
)

ways = sa.Table(
    "ways",
    metadata,
    Column("from_id", Text, sa.ForeignKey("destinations.id", ondelete="CASCADE"), primary_key=True),
    Column("on", Text, primary_key=True),  # busy, no_answer, offline, next
    leads_to("to_id", "destinations"),
    sa.Index(None, "to_id"),
)

outbound_routes = sa.Table(
    "outbound_routes",
    metadata,
    id_(),
    belongs_to("accounts"),
    Column("prefix", Text, nullable=False),  # empty: any number
    leads_to("trunk_id", "trunks"),
    Column("order", Integer, nullable=False, server_default="10"),  # among those of one prefix
    Column("strip", Integer, nullable=False, server_default="0"),  # characters taken off the front
    text("prepend"),
    time("created_at"),
    sa.Index(None, "account_id"),
    sa.Index(None, "trunk_id"),
)
