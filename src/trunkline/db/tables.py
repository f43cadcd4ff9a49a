"""Every table, as SQLAlchemy Core knows it: what the migrations build and management queries use.

Ids are 32 hex digits, times unix microseconds. What a call writes (journal, calls, events and their
kin) has no foreign key to an account on purpose: a call outlives a deleted account, and taking in
the event log must never stop at one row. ``calls`` is written by one function only
(``db.sqlite.history.write_call``), or the counts would lie.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, Text

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[str]:
    return Column("id", Text, primary_key=True)


def _belongs_to(table: str) -> Column[str]:
    return Column(
        f"{table.removesuffix('s')}_id",
        Text,
        sa.ForeignKey(f"{table}.id", ondelete="CASCADE"),
        nullable=False,
    )


def _text(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _flag(name: str, default: bool) -> Column[bool]:
    return Column(
        name, Boolean, nullable=False, server_default=sa.true() if default else sa.false()
    )


def _time(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


# ---- The directory: who may call ----------------------------------------------------------------

accounts = sa.Table(
    "accounts",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    _text("timezone", "UTC"),
    Column("realm", Text),  # of its devices' SIP passwords; null: the installation's
    Column("caller_id", Text),
    _text("dial_allow"),  # comma-separated prefixes; empty allows all
    _text("dial_deny"),
    _flag("record", True),
    _flag("sandbox", False),
    _flag("enabled", True),
    Column("last_seq", BigInteger, nullable=False, server_default="0"),
    _time("created_at"),
    Column("last_update", BigInteger, nullable=False, server_default="0"),
)

apps = sa.Table(
    "apps",
    metadata,
    _id(),
    _belongs_to("accounts"),
    _text("name"),
    Column("secret", Text, nullable=False),  # encrypted, see db/secrets.py
    _flag("legacy_hashes", True),
    _text("allowed_addresses"),  # comma-separated networks; empty allows all
    _flag("read_only", False),
    _flag("enabled", True),
    _time("created_at"),
    sa.Index(None, "account_id"),
)

users = sa.Table(
    "users",
    metadata,
    _id(),
    _belongs_to("accounts"),
    Column("username", Text, nullable=False),
    _text("name"),
    Column("extension", Text),
    Column("route_key", Text, unique=True),  # account_id:extension
    Column("caller_id", Text),
    _flag("enabled", True),
    _time("created_at"),
    sa.UniqueConstraint("account_id", "username"),
    sa.UniqueConstraint("account_id", "extension"),
)

devices = sa.Table(
    "devices",
    metadata,
    _id(),
    _belongs_to("accounts"),
    _belongs_to("users"),
    Column("sip_user", Text, nullable=False, unique=True),
    Column("realm", Text, nullable=False),
    Column("ha1", Text, nullable=False),  # RFC 2617: md5(sip_user:realm:password)
    _flag("enabled", True),
    _time("created_at"),
    sa.Index(None, "account_id"),
    sa.Index(None, "user_id"),
)

trunks = sa.Table(
    "trunks",
    metadata,
    _id(),
    _belongs_to("accounts"),
    Column("name", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    _text("transport", "udp"),
    Column("auth_user", Text),
    Column("auth_password", Text),  # encrypted
    _flag("register", False),
    _text("match"),  # comma-separated addresses that its calls come from
    Column("priority", Integer, nullable=False, server_default="10"),
    _flag("sandbox", False),
    _flag("enabled", True),
    _time("created_at"),
    sa.UniqueConstraint("account_id", "name"),
)

numbers = sa.Table(
    "numbers",
    metadata,
    _id(),
    _belongs_to("accounts"),
    _belongs_to("users"),
    Column("did", Text, nullable=False),  # as the operator wrote it
    Column("route_key", Text, nullable=False, unique=True),  # account_id:digits
    _flag("enabled", True),
    _time("created_at"),
    sa.Index(None, "account_id"),
    sa.Index(None, "user_id"),
)

device_states = sa.Table(
    "device_states",
    metadata,
    Column("device_id", Text, sa.ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
    Column("online", Boolean, nullable=False),
    _time("changed_at"),
)

trunk_states = sa.Table(
    "trunk_states",
    metadata,
    Column("trunk_id", Text, sa.ForeignKey("trunks.id", ondelete="CASCADE"), primary_key=True),
    Column("up", Boolean, nullable=False),
    _time("changed_at"),
)

# ---- What applications hold ---------------------------------------------------------------------

tokens = sa.Table(
    "tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("app_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    _time("expires"),
    sa.Index(None, "expires"),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    _id(),
    _belongs_to("accounts"),
    _text("name"),
    Column("key_hash", Text, nullable=False, unique=True),  # SHA-256, hex; the key is kept nowhere
    Column("prefix", Text, nullable=False),  # how the key begins: for lists, no secret
    Column("scopes", Text, nullable=False),  # comma-separated, work/api_keys.py
    _text("allowed_addresses"),  # comma-separated networks; empty allows all
    Column("expires_at", BigInteger),  # null: never
    Column("last_used_at", BigInteger),  # to the minute
    _flag("enabled", True),  # false: revoked, for good
    _time("created_at"),
    sa.Index(None, "account_id", "created_at", "id"),
)

requests = sa.Table(
    "requests",
    metadata,
    Column("app_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("status", Integer),
    Column("body", LargeBinary),
    _time("kept_until"),
    sa.Index(None, "kept_until"),
)

# ---- What happened ------------------------------------------------------------------------------

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
    _time("at"),
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
    _time("opened_at"),
)

calls = sa.Table(
    "calls",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("started_at", BigInteger, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("answered_at", BigInteger),
    _time("ended_at"),
    Column("duration_seconds", Integer, nullable=False),
    Column("billing_seconds", Integer, nullable=False),
    Column("ringing_seconds", Integer, nullable=False),
    Column("class", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("status_detail", Text, nullable=False),
    Column("hangup_cause", Text, nullable=False),
    *(
        column
        for side in ("caller", "callee")
        for column in (
            Column(f"{side}_number", Text, nullable=False),
            Column(f"{side}_username", Text),
            _text(f"{side}_name"),
            Column(f"{side}_user_id", Text),
            Column(f"{side}_device_id", Text),
        )
    ),
    Column("did_number", Text),
    _text("recording"),
    Column("client_ref", Text),
    Column("app_id", Text),
    Column("trunk", Text),
    _flag("engine_died", False),
    _time("updated_at"),
    _text("note"),
    _text("tags"),  # comma-separated
    # the number of the last change, counted in accounts.last_update; 0: not indexed yet
    Column("update_seq", BigInteger, nullable=False, server_default="0"),
    sa.UniqueConstraint("id"),
    sqlite_with_rowid=False,
)


def _counts(width: str) -> sa.Table:
    return sa.Table(
        f"call_counts_{width}",
        metadata,
        Column("account_id", Text, primary_key=True),
        Column("bucket", BigInteger, primary_key=True),  # started_at divided by the width
        Column("n", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


# What each call is found by, calls/terms.py.
call_terms = sa.Table(
    "call_terms",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("term", Text().with_variant(Text(collation="C"), "postgresql"), primary_key=True),
    Column("started_at", BigInteger, primary_key=True, autoincrement=False),
    Column("call_id", Text, primary_key=True),
    sqlite_with_rowid=False,
)

# Each call once, by its last change. A table, and no index of calls: that may be partitioned.
call_updates = sa.Table(
    "call_updates",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _time("started_at"),
    Column("call_id", Text, nullable=False),
    sqlite_with_rowid=False,
)

call_counts_minute = _counts("minute")
call_counts_hour = _counts("hour")
call_counts_day = _counts("day")

STAT_SUMS = (
    "calls",
    "outgoing",  # that the user made; of all else: from_ab
    "answered",
    "busy",
    "unanswered",
    "cancelled",
    "ivr",
    "rang",  # calls with ring_seconds
    "talk_seconds",
    "ring_seconds",
    "duration_seconds",
    "longest_talk_seconds",  # the greatest of them, all others are sums
)

# What calls came to, by the time of their start. A call is in it at each width, under ``all`` (its key is
# class/direction/status_detail), each of its users, its DID and its trunk. Rows outlive the calls.
call_stats = sa.Table(
    "call_stats",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("width", Integer, primary_key=True, autoincrement=False),  # seconds: 900, 10800, 86400
    Column("dimension", Text, primary_key=True),
    Column("bucket", BigInteger, primary_key=True, autoincrement=False),  # started_at / width
    Column("key", Text, primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in STAT_SUMS),
    sqlite_with_rowid=False,
)

# Accounts that have calls of before there were statistics: those that started before
# ``counted_from`` are in none yet, and the row goes with the last of them.
call_stats_marks = sa.Table(
    "call_stats_marks",
    metadata,
    Column("account_id", Text, primary_key=True),
    _time("counted_from"),
    sqlite_with_rowid=False,
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
    _time("at"),
    Column("body", LargeBinary, nullable=False),  # JSON
    sa.Index(None, "account_id", "call_id", "seq"),
    sqlite_with_rowid=False,
)

recordings = sa.Table(
    "recordings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("raw", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("worker", Text),
    Column("claimed_until", BigInteger),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _text("reason"),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    Column("seconds", Float, nullable=False, server_default="0"),
    _time("created_at"),  # the end of its call
    sa.CheckConstraint("state IN ('expected', 'done', 'failed')", name="state"),
    sa.Index(
        "ix_recordings_expected",
        "created_at",
        # Naming another dialect's would import it whenever a command starts.
        sqlite_where=sa.text("state = 'expected'"),
    ),
)

log_positions = sa.Table(
    "log_positions",
    metadata,
    Column("log", Text, primary_key=True),
    Column("file_id", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
)

meta = sa.Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# ---- Webhooks -----------------------------------------------------------------------------------

webhooks = sa.Table(
    "webhooks",
    metadata,
    _id(),
    _belongs_to("accounts"),
    Column("url", Text, nullable=False),
    _text("description"),
    _text("events"),  # comma-separated bindings; empty takes all
    Column("secret", Text, nullable=False),  # encrypted, see db/secrets.py
    Column("previous_secret", Text),  # encrypted; signs too until previous_until
    Column("previous_until", BigInteger),
    _text("state", "enabled"),
    _text("reason"),
    Column("cursor", BigInteger, nullable=False),  # the number of the last event examined
    Column(
        "failing_since", BigInteger
    ),  # the first failure since it last answered; null: it answers
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("not_before", BigInteger, nullable=False, server_default="0"),
    _time("created_at"),
    _time("changed_at"),
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
    _belongs_to("webhooks"),
    Column("account_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),  # of a gap: the last number that is lost
    Column("gap_from", BigInteger),  # of a gap: the first number that is lost
    Column("lane", Text, nullable=False),  # deliveries of one lane go out one after the other
    Column("call_id", Text),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    _text("state", "pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("step", Integer, nullable=False, server_default="0"),  # how many pauses are used up
    Column("first_at", BigInteger),
    Column("next_at", BigInteger),
    _time("created_at"),
    Column("done_at", BigInteger),
    Column("last_status", Integer),
    _text("last_error"),
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
        "created_at",
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
    _time("at"),
    *(
        Column(f"{part}_ms", Float)  # null: it did not come to that
        for part in ("resolve", "connect", "tls", "first_byte")
    ),
    Column("total_ms", Float, nullable=False),
    _text("address"),  # that it went to
    Column("status", Integer),
    _text("error"),
    Column("answer", LargeBinary, nullable=False),  # the first 4 KiB of its body
    sqlite_with_rowid=False,
)
