"""What happened: the journal, the events, the recordings, and how far the engine's log is taken in."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Float, Integer, LargeBinary, Text

from trunkline.store.tables.columns import metadata, text, time

journal = sa.Table(
    "journal",
    metadata,
    Column(
        "id",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("call_id", Text, nullable=False),
    time("at"),
    Column("kind", Text, nullable=False),
    Column("fact", LargeBinary, nullable=False),  # JSON, calls/facts.py
    sa.Index(None, "call_id", "id"),
    sqlite_autoincrement=True,
)

live_calls = sa.Table(
    "live_calls",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("account_id", Text, nullable=False),
    time("opened_at"),
    text("node_id"),  # whose engine has it; none: the next to start
)

events = sa.Table(
    "events",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("category", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("call_id", Text),
    time("at"),
    Column("body", LargeBinary, nullable=False),  # JSON
    sa.Index(None, "account_id", "call_id", "seq"),
    sqlite_with_rowid=False,
)

recordings = sa.Table(
    "recordings",
    metadata,
    Column("id", Text, primary_key=True),
    text("kind", "call"),
    Column("name", Text, nullable=False, unique=True),
    Column("account_id", Text, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("worker", Text),
    Column("claimed_until", BigInteger),
    Column("attempts", Integer, nullable=False, server_default="0"),
    text("reason"),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    Column("seconds", Float, nullable=False, server_default="0"),
    time("created_at"),  # the end of its call
    text("plan"),  # calls/recording_plan.py, as JSON; none: the raw file of that id, as it is
    sa.CheckConstraint("kind IN ('call', 'voicemail', 'conference')", name="kind"),
    sa.CheckConstraint("state IN ('pending', 'ready', 'failed')", name="state"),
    sa.Index(
        "ix_recordings_pending",
        "created_at",
        # Naming another dialect's would import it whenever a command starts.
        sqlite_where=sa.text("state = 'pending'"),
    ),
    sa.Index(None, "call_id"),
    sa.Index(None, "account_id", "created_at", "name"),
)

# The raw files that recordings are made of: a leg that went on in another call is in two of them.
recording_files = sa.Table(
    "recording_files",
    metadata,
    Column("raw", Text, primary_key=True),
    Column(
        "recording_id",
        Text,
        sa.ForeignKey("recordings.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)

# Recordings that are no more, whose files are to be removed: the row goes when they are gone.
recording_removals = sa.Table(
    "recording_removals",
    metadata,
    Column("name", Text, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("raws", Text, nullable=False),  # separated by spaces
    time("not_before"),  # until then a worker may be making it
)

log_positions = sa.Table(
    "log_positions",
    metadata,
    Column("node_id", Text, primary_key=True),
    Column("file_id", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
)

meta = sa.Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
