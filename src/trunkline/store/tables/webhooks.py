"""Webhooks: the endpoints, what each is to get, and every attempt."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Float, Integer, LargeBinary, Text

from trunkline.store.tables.columns import belongs_to, id_, metadata, text, time

webhooks = sa.Table(
    "webhooks",
    metadata,
    id_(),
    belongs_to("accounts"),
    Column("url", Text, nullable=False),
    text("description"),
    text("events"),  # comma-separated bindings; empty takes all
    Column("secret", Text, nullable=False),  # encrypted, see store/secrets.py
    Column("previous_secret", Text),  # encrypted; signs too until previous_until
    Column("previous_until", BigInteger),
    text("state", "enabled"),
    text("reason"),
    Column("cursor", BigInteger, nullable=False),  # the number of the last event examined
    Column(
        "failing_since", BigInteger
    ),  # the first failure since it last answered; null: it answers
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("not_before", BigInteger, nullable=False, server_default="0"),
    time("created_at"),
    time("changed_at"),
    sa.CheckConstraint("state IN ('enabled', 'disabled', 'suspended')", name="state"),
    sa.Index(None, "account_id", "created_at", "id"),
)

# ``next_at`` is null but for the first pending delivery of each lane: what is due is found by an
# index that holds nothing else, and a lane's order needs no look at its past.
webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    Column(
        "id",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    belongs_to("webhooks"),
    Column("account_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),  # of a gap: the last number that is lost
    Column("gap_from", BigInteger),  # of a gap: the first number that is lost
    Column("lane", Text, nullable=False),  # deliveries of one lane go out one after the other
    Column("call_id", Text),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    text("state", "pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("step", Integer, nullable=False, server_default="0"),  # how many pauses are used up
    Column("first_at", BigInteger),
    Column("next_at", BigInteger),
    time("created_at"),
    Column("done_at", BigInteger),
    Column("last_status", Integer),
    text("last_error"),
    sa.CheckConstraint("kind IN ('event', 'gap', 'replay', 'test')", name="kind"),
    sa.CheckConstraint("state IN ('pending', 'delivered', 'failed')", name="state"),
    sa.Index(None, "webhook_id", "id"),
    sa.Index(None, "webhook_id", "state", "id"),
    sa.Index(None, "call_id"),
    sa.Index(
        "ix_webhook_deliveries_lane",
        "webhook_id",
        "lane",
        "id",
        sqlite_where=sa.text("state = 'pending'"),
    ),
    sa.Index(
        "ix_webhook_deliveries_due",
        "webhook_id",
        "next_at",
        "id",
        sqlite_where=sa.text("next_at IS NOT NULL"),
    ),
    sa.Index(
        "ix_webhook_deliveries_done",
        "account_id",
        "created_at",
        "id",
        sqlite_where=sa.text("state <> 'pending'"),
    ),
    sqlite_autoincrement=True,
)

webhook_attempts = sa.Table(
    "webhook_attempts",
    metadata,
    Column(
        "delivery_id",
        BigInteger().with_variant(Integer, "sqlite"),
        sa.ForeignKey("webhook_deliveries.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("number", Integer, primary_key=True, autoincrement=False),
    time("at"),
    *(
        Column(f"{part}_ms", Float)  # null: it did not come to that
        for part in ("resolve", "connect", "tls", "first_byte")
    ),
    Column("total_ms", Float, nullable=False),
    text("address"),  # that it went to
    Column("status", Integer),
    text("error"),
    Column("answer", LargeBinary, nullable=False),  # the first 4 KiB of its body
    sqlite_with_rowid=False,
)
