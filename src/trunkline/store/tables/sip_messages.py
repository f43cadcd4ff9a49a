"""SIP messages of calls, kept for a few days."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Text

from trunkline.store.tables.columns import metadata, time

sip_messages = sa.Table(
    "sip_messages",
    metadata,
    Column(
        "id",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("account_id", Text, nullable=False),
    Column("call_id", Text, nullable=False),
    time("stored_at"),
    Column("messages", Integer, nullable=False),  # how many are in the body
    Column("skipped", Integer, nullable=False),  # how many more were left out
    Column("body", LargeBinary, nullable=False),  # store/common/sip_messages.py
    sa.Index(None, "account_id", "call_id", "id"),
    sqlite_autoincrement=True,
)
