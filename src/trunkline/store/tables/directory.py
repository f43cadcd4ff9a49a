"""The directory (who may call), and what applications hold."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, Text

from trunkline.store.tables.columns import (
    belongs_to,
    destination_id_,
    flag,
    id_,
    leads_to,
    metadata,
    most,
    text,
    time,
)

# ---- The directory: who may call ----------------------------------------------------------------

accounts = sa.Table(
    "accounts",
    metadata,
    id_(),
    Column("name", Text, nullable=False, unique=True),
    text("timezone", "UTC"),
    Column("realm", Text),  # of its devices' SIP passwords; null: the installation's
    Column("caller_id", Text),
    text("dial_allow"),  # comma-separated prefixes; empty allows all
    text("dial_deny"),
    Column("country", Text),  # ISO 3166-1 alpha-2
    text("emergency_listed"),  # comma-separated, beside those of its country
    text("emergency_numbers", "112,911"),  # all of them
    most("max_calls", 200),  # to the outside, at once
    most("max_rate", 1200),  # new ones to the outside, a minute
    flag("record", True),
    text("recording_format", "mp3"),
    flag("sandbox", False),
    flag("enabled", True),
    Column("last_seq", BigInteger, nullable=False, server_default="0"),
    time("created_at"),
    Column("last_update", BigInteger, nullable=False, server_default="0"),
    # short, for tables with many rows; given when the account is made
    Column("number", Integer, nullable=False, server_default="0", index=True, unique=True),
    *(  # days; 0: for good; null: as the installation's settings say
        Column(f"keep_{kind}", Integer) for kind in ("calls", "events", "recordings")
    ),
    Column("held_at", BigInteger),  # legal hold: since then nothing of it is deleted
    text("hold_reason"),
    # where its log begins; of earlier numbers only the events of calls on hold are kept
    Column("events_from", BigInteger, nullable=False, server_default="1"),
)

apps = sa.Table(
    "apps",
    metadata,
    id_(),
    belongs_to("accounts"),
    text("name"),
    Column("secret", Text, nullable=False),  # encrypted, see store/secrets.py
    flag("legacy_hashes", True),
    text("allowed_addresses"),  # comma-separated networks; empty allows all
    flag("read_only", False),
    flag("enabled", True),
    time("created_at"),
    sa.Index(None, "account_id"),
)

users = sa.Table(
    "users",
    metadata,
    destination_id_(),
    belongs_to("accounts"),
    Column("username", Text, nullable=False),
    text("name"),
    Column("caller_id", Text),
    flag("enabled", True),
    time("created_at"),
    sa.UniqueConstraint("account_id", "username"),
)

devices = sa.Table(
    "devices",
    metadata,
    id_(),
    belongs_to("accounts"),
    belongs_to("users"),
    Column("sip_user", Text, nullable=False, unique=True),
    Column("realm", Text, nullable=False),
    Column("ha1", Text, nullable=False),  # RFC 2617: md5(sip_user:realm:password)
    text("srtp", "off"),  # off, optional or required
    most("max_calls", 10),
    most("max_rate", 180),
    flag("enabled", True),
    time("created_at"),
    sa.Index(None, "account_id"),
    sa.Index(None, "user_id"),
)

trunks = sa.Table(
    "trunks",
    metadata,
    id_(),
    belongs_to("accounts"),
    Column("name", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    text("transport", "udp"),
    Column("auth_user", Text),
    Column("auth_password", Text),  # encrypted
    flag("register", False),
    text("match"),  # comma-separated addresses that its calls come from
    Column("priority", Integer, nullable=False, server_default="10"),
    text("srtp", "off"),  # off, optional or required
    most("max_calls", 200),  # in and out
    most("max_rate", None),
    flag("sandbox", False),
    flag("enabled", True),
    time("created_at"),
    sa.UniqueConstraint("account_id", "name"),
)

numbers = sa.Table(
    "numbers",
    metadata,
    id_(),
    belongs_to("accounts"),
    leads_to("destination_id", "destinations"),
    Column("did", Text, nullable=False),  # as the operator wrote it
    Column("route_key", Text, nullable=False, unique=True),  # account_id:digits
    flag("enabled", True),
    time("created_at"),
    sa.Index(None, "account_id"),
    sa.Index(None, "destination_id"),
)

device_states = sa.Table(
    "device_states",
    metadata,
    Column("device_id", Text, sa.ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
    Column("online", Boolean, nullable=False),
    time("changed_at"),
    flag("secure", False),  # it registered over TLS
)

trunk_states = sa.Table(
    "trunk_states",
    metadata,
    Column("trunk_id", Text, sa.ForeignKey("trunks.id", ondelete="CASCADE"), primary_key=True),
    Column("up", Boolean, nullable=False),
    time("changed_at"),
)

# ---- What applications hold ---------------------------------------------------------------------

tokens = sa.Table(
    "tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("app_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    time("expires"),
    sa.Index(None, "expires"),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    id_(),
    belongs_to("accounts"),
    text("name"),
    Column("key_hash", Text, nullable=False, unique=True),  # SHA-256, hex; the key is kept nowhere
    Column("prefix", Text, nullable=False),  # how the key begins: for lists, no secret
    Column("scopes", Text, nullable=False),  # comma-separated, directory/api_keys.py
    text("allowed_addresses"),  # comma-separated networks; empty allows all
    Column("expires_at", BigInteger),  # null: never
    Column("last_used_at", BigInteger),  # to the minute
    flag("enabled", True),  # false: revoked, for good
    time("created_at"),
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
    time("kept_until"),
    sa.Index(None, "kept_until"),
)
